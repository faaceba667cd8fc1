//! Maps of tensors, by which Hopper's copy engine brings boxes of them into shared memory.

// One call to the driver.
#![allow(unsafe_code)]

use std::ffi::c_void;

use cudarc::driver::sys;

use super::engine::Arg;

/// Positions, and bfloat16 columns, of a box: 128 bytes a position, as wide as its swizzle goes.
const BOX: u32 = 64;

/// The map of a bfloat16 tensor `[rows, length, width]` without gaps, by boxes of 64 positions and 64 columns of one row.
/// What of a box lies outside the tensor is read as zeros. `width` is a multiple of 8.
///
/// # Errors
/// The driver's answer, where it cannot be mapped.
pub(super) fn boxes(address: u64, [rows, length, width]: [usize; 3]) -> Result<Arg, String> {
    let sizes = [width, length, rows].map(|size| size as u64);
    let strides = [2 * width, 2 * width * length].map(|stride| stride as u64); // bytes; the first is that of numbers
    let mut map = sys::CUtensorMap { opaque: [0; 16] };
    // SAFETY: three sizes, two strides, three edges and three steps are what three dimensions have; the driver writes the
    // map and keeps the address without reading what is there.
    let answer = unsafe {
        sys::cuTensorMapEncodeTiled(
            &mut map,
            sys::CUtensorMapDataType::CU_TENSOR_MAP_DATA_TYPE_BFLOAT16,
            3,
            address as *mut c_void,
            sizes.as_ptr(),
            strides.as_ptr(),
            [BOX, BOX, 1].as_ptr(),
            [1; 3].as_ptr(),
            sys::CUtensorMapInterleave::CU_TENSOR_MAP_INTERLEAVE_NONE,
            sys::CUtensorMapSwizzle::CU_TENSOR_MAP_SWIZZLE_128B,
            sys::CUtensorMapL2promotion::CU_TENSOR_MAP_L2_PROMOTION_L2_128B,
            sys::CUtensorMapFloatOOBfill::CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE,
        )
    };
    answer.result().map_err(|error| format!("map [{rows}, {length}, {width}]: {error:?}"))?;
    Ok(Arg::Map(map.opaque))
}
