//! Several cards that add up what each of them has, through NCCL, beside whatever else they do.
//!
//! Sums run on a stream of their own, which the fences of the engine leave out: a sum begins after what was submitted
//! before it, and only [`settle`] waits for it.
//!
//! A sum waits for the other cards, and so may hang where one of them waits for this card. What does: the driver gives a card
//! memory only when the cards that see its memory are idle. So no card's thread asks for memory between the moment when
//! the first card submits a sum and the moment when the last one has: the threads meet before and after. From then on a sum
//! needs nothing but the cards: those run what they were given, each the sums in the same order, and end.

// Calls to a library that is loaded at run time. Each block says why it is sound.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::sync::Arc;

use burn::tensor::{Device, Tensor};
use burn_cubecl::tensor::CubeTensor;
use cudarc::driver::sys::{self as driver, CUevent, CUstream, CUstream_flags};
use cudarc::nccl::result::NcclError;
use cudarc::nccl::{result, sys};

use super::engine::{Engine, Queue, Work, after, event, fail, fault, tried};
use super::tape::{Input, tensor};
use crate::meeting::Meeting;

/// A card's place in a group.
#[derive(Clone)]
pub(super) struct Seat {
    communicator: sys::ncclComm_t,
    /// Where the cards' threads wait for each other.
    meeting: Arc<Meeting>,
    /// Where sums run.
    stream: CUstream,
    event: CUevent,
}

/// A communicator on its way to its card's thread.
struct Communicator(sys::ncclComm_t);

// SAFETY: a communicator is not bound to a thread; it is used under the lock of its card's engine only.
unsafe impl Send for Communicator {}

/// Does `work` on the streams on which the tensor was made, on whatever thread this is. cubecl makes streams and
/// memory pools for every thread that it sees; what is done for one thread on another is to use those that are there.
pub(crate) fn on_streams_of<T>(tensor: Tensor<2>, work: impl FnOnce() -> T) -> T {
    Input::of(tensor).data.handle.stream.executes(work)
}

/// Makes one group of these cards, which have consecutive numbers. What was a group before is none any more.
pub(crate) fn join(first: usize, cards: &[Device]) -> Result<(), String> {
    let numbers: Vec<i32> = (first..first + cards.len()).map(|index| index as i32).collect();
    let mut communicators = vec![std::ptr::null_mut(); cards.len()];
    let made = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        // SAFETY: both arrays are as long as the count says and live during the call, which fills the first.
        unsafe { result::comm_init_all(communicators.as_mut_ptr(), numbers.len() as i32, numbers.as_ptr()) }
    }));
    match made {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => return Err(format!("NCCL cannot join cards {numbers:?}: {:?}", error.0)),
        Err(_) => return Err("NCCL (libnccl.so) could not be loaded; it is needed to train on several cards".to_owned()),
    }
    let meeting = Arc::new(Meeting::new(cards.len()));
    for (device, communicator) in cards.iter().zip(communicators) {
        let (communicator, meeting) = (Communicator(communicator), meeting.clone());
        let buffer = Input::of(Tensor::<1>::zeros([1], device)).data;
        let mut queue = Queue::default();
        queue.add([&buffer], move |engine, _| {
            let Communicator(communicator) = { communicator };
            engine.seat = Some(Seat { communicator, meeting, stream: urgent_stream()?, event: event()? });
            Ok(())
        });
        queue.submit();
    }
    Ok(())
}

/// Does a card's part of what its group does. Where that fails, the other cards no longer wait for it.
pub(crate) fn part<T>(work: impl FnOnce() -> crate::Result<T>) -> crate::Result<T> {
    /// Says on its way out, also of a panic, whether all was done.
    struct Part(bool);
    impl Drop for Part {
        fn drop(&mut self) {
            if !self.0 {
                fail("a card left its group in the middle of a step".to_owned());
            }
        }
    }
    let mut part = Part(false);
    let result = work();
    part.0 = result.is_ok();
    result
}

/// A stream whose work comes to its places before that of others: it is little, and other cards wait for it.
fn urgent_stream() -> Result<CUstream, String> {
    let (mut last, mut first, mut stream) = (0, 0, std::ptr::null_mut());
    // SAFETY: the card's context is current; the driver writes two numbers and a handle.
    unsafe {
        driver::cuCtxGetStreamPriorityRange(&mut last, &mut first).result().map_err(tried("ask for priorities"))?;
        let flags = CUstream_flags::CU_STREAM_NON_BLOCKING as u32;
        driver::cuStreamCreateWithPriority(&mut stream, flags, first).result().map_err(tried("make a stream"))?;
    }
    Ok(stream)
}

/// Begins to add up these 32-bit tensors of one card with those of all other cards of its group, in place. Every card of the
/// group does so with as many tensors of the same sizes, in the same order. The sums are there after [`settle`].
pub(super) fn add_up(tensors: Vec<Tensor<2>>) -> Vec<Tensor<2>> {
    let tensors: Vec<CubeTensor> = tensors.into_iter().map(|x| Input::of(x).data).collect();
    let sums = tensors.iter().map(|sum| tensor(sum.clone())).collect();
    let counts: Vec<usize> = tensors.iter().map(|tensor| tensor.meta.shape().num_elements()).collect();
    let mut queue = Queue::default();
    queue.add_all(tensors, move |engine, at| engine.add_up(at, &counts));
    queue.holding().submit_now(); // another card's thread waits for this one's
    sums
}

/// Lets all that is submitted to the card from here on wait for its sums.
pub(super) fn settle(beside: &Tensor<2>) {
    let mut queue = Queue::default();
    queue.add([&Input::of(beside.clone()).data], |engine, _| {
        let Some(Seat { stream, event, .. }) = engine.seat.clone() else { return Err(NO_GROUP.to_owned()) };
        let ours = engine.stream;
        // SAFETY: streams and event live as long as the program.
        engine.marked(|| "wait for sums".to_owned(), |_| unsafe { after(stream, event, ours) })?;
        engine.held.clear();
        Ok(())
    });
    queue.submit();
}

const NO_GROUP: &str = "this card is in no group";

impl Engine {
    fn add_up(&mut self, at: &[u64], counts: &[usize]) -> Work {
        let Some(Seat { communicator, meeting, stream, event }) = self.seat.clone() else { return Err(NO_GROUP.to_owned()) };
        let failed = || fault().is_some();
        meeting.wait(failed).then_some(()).ok_or("another card failed")?;
        // SAFETY: streams and event live as long as the program.
        unsafe { after(self.stream, event, stream) }?;
        let done = self.marked_on(stream, || "all-reduce".to_owned(), |_| all_reduce(at, counts, communicator, stream));
        meeting.wait(failed);
        done
    }
}

/// Adds up buffers of so many floats, in place. They are held.
fn all_reduce(at: &[u64], counts: &[usize], communicator: sys::ncclComm_t, stream: CUstream) -> Work {
    let (float, sum) = (sys::ncclDataType_t::ncclFloat32, sys::ncclRedOp_t::ncclSum);
    let tried = |error: NcclError| format!("NCCL all-reduce: {:?}", error.0);
    result::group_start().map_err(tried)?;
    let added = at.iter().zip(counts).try_for_each(|(&at, &count)| {
        // SAFETY: the buffer at the address has `count` floats; group and stream live as long as the program.
        let added = unsafe { result::all_reduce(at as *const c_void, at as *mut c_void, count, float, sum, communicator, stream.cast()) };
        added.map(drop).map_err(tried)
    });
    result::group_end().map_err(tried).and(added)
}
