//! Several cards that add up what each of them has, through NCCL.

// Calls to a library that is loaded at run time. Each block says why it is sound.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::sync::Arc;

use burn::tensor::{Device, Tensor};
use burn_cubecl::tensor::CubeTensor;
use cudarc::nccl::result::NcclError;
use cudarc::nccl::{result, sys};

use super::engine::{Engine, Queue, Work, fault};
use super::tape::{Input, tensor};
use crate::meeting::Meeting;

/// A card's place in a group.
#[derive(Clone)]
pub(super) struct Seat {
    communicator: sys::ncclComm_t,
    /// Where the cards' threads wait for each other.
    meeting: Arc<Meeting>,
}

// SAFETY: a communicator is not bound to a thread; it is used under the lock of its card's engine only.
unsafe impl Send for Seat {}

/// Does `work` on the streams on which the tensor was made, on whatever thread this is. cubecl makes streams and
/// memory pools for every thread that it sees; what is done for one thread on another is to use those that are there.
pub(crate) fn on_streams_of<T>(tensor: Tensor<2>, work: impl FnOnce() -> T) -> T {
    Input::of(tensor).data.handle.stream.executes(work)
}

/// Makes one group of these cards, which have consecutive numbers. What was a group before is none any more.
pub(crate) fn join(first: usize, cards: &[Device]) -> Result<(), String> {
    let numbers: Vec<i32> = (first..first + cards.len()).map(|index| index as i32).collect();
    let mut seats = vec![std::ptr::null_mut(); cards.len()];
    let made = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        // SAFETY: both arrays are as long as the count says and live during the call, which fills the first.
        unsafe { result::comm_init_all(seats.as_mut_ptr(), numbers.len() as i32, numbers.as_ptr()) }
    }));
    match made {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => return Err(format!("NCCL cannot join cards {numbers:?}: {:?}", error.0)),
        Err(_) => return Err("NCCL (libnccl.so) could not be loaded; it is needed to train on several cards".to_owned()),
    }
    let meeting = Arc::new(Meeting::new(cards.len()));
    for (device, communicator) in cards.iter().zip(seats) {
        let seat = Seat { communicator, meeting: meeting.clone() };
        let buffer = Input::of(Tensor::<1>::zeros([1], device)).data;
        let mut queue = Queue::default();
        queue.add([&buffer], move |engine, _| {
            engine.seat = Some(seat);
            Ok(())
        });
        queue.submit();
    }
    Ok(())
}

/// Adds up these 32-bit tensors of one card with those of all other cards of its group, in place. Every card of
/// the group does so with as many tensors of the same sizes.
pub(crate) fn add_up(tensors: Vec<Tensor<2>>) -> Vec<Tensor<2>> {
    let tensors: Vec<CubeTensor> = tensors.into_iter().map(|x| Input::of(x).data).collect();
    let sums = tensors.iter().map(|sum| tensor(sum.clone())).collect();
    let counts: Vec<usize> = tensors.iter().map(|tensor| tensor.meta.shape().num_elements()).collect();
    let mut queue = Queue::default();
    queue.add_all(tensors, move |engine, at| engine.marked(|| "all-reduce".to_owned(), |engine| engine.add_up(at, &counts)));
    queue.submit_now(); // another card's thread waits for this one's
    sums
}

impl Engine {
    /// The cards' threads meet before and after: a sum that waits for another card must not run while that card's
    /// thread asks for memory, which the driver gives only when cards that see each other's memory are idle.
    fn add_up(&mut self, at: &[u64], counts: &[usize]) -> Work {
        let Some(Seat { communicator, meeting }) = self.seat.clone() else { return Err("this card is in no group".to_owned()) };
        let (float, sum) = (sys::ncclDataType_t::ncclFloat32, sys::ncclRedOp_t::ncclSum);
        let failed = || fault().is_some();
        let tried = |error: NcclError| format!("NCCL all-reduce: {:?}", error.0);
        meeting.wait(failed).then_some(()).ok_or("another card failed")?;
        let done = result::group_start().map_err(tried).and_then(|_| {
            let added = at.iter().zip(counts).try_for_each(|(&at, &count)| {
                // SAFETY: the buffer at the address has `count` floats; group and stream live as long as the program.
                unsafe { result::all_reduce(at as *const c_void, at as *mut c_void, count, float, sum, communicator, self.stream.cast()) }
                    .map(drop)
                    .map_err(tried)
            });
            result::group_end().map_err(tried).and(added)
        });
        meeting.wait(failed);
        done
    }
}
