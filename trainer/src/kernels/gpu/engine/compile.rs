//! From the text of a kernel to a function of the card.

// Calls to the driver and to NVRTC, which is loaded at run time. Each block says why it is sound.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString};

use cudarc::driver::{result, sys};
use cudarc::nvrtc;

use super::{Engine, tried};
use crate::kernels::gpu::source::Source;

/// Bytes of shared memory that a kernel has without asking for more.
const SHARED_DEFAULT: u32 = 48 << 10;

impl Engine {
    /// A kernel that may have so many bytes of shared memory, compiled where it is asked for first.
    pub(super) fn function(&mut self, source: Source, name: &'static str, shared: u32) -> Result<sys::CUfunction, String> {
        let known = self.functions.get(&(source, name)).copied();
        if let Some((function, allowed)) = known
            && shared <= allowed
        {
            return Ok(function);
        }
        let module = match self.modules.get(&source) {
            Some(module) => *module,
            None => {
                let image = compile(source, &self.architecture)?;
                // SAFETY: the image is what NVRTC made, whole and in memory during the call.
                let module = unsafe { result::module::load_data(image.as_ptr().cast()) }.map_err(tried("load the kernels"))?;
                self.modules.insert(source, module);
                module
            }
        };
        let named = CString::new(name).map_err(tried(name))?;
        // SAFETY: the module stays loaded for the life of the program.
        let function = unsafe { result::module::get_function(module, named) }.map_err(tried(name))?;
        let allowed = shared.max(SHARED_DEFAULT);
        if shared > 0 {
            let most = sys::CUfunction_attribute_enum::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
            // SAFETY: the function was just found.
            unsafe { result::function::set_function_attribute(function, most, allowed as i32) }.map_err(tried(name))?;
        }
        self.functions.insert((source, name), (function, if shared > 0 { allowed } else { 0 }));
        Ok(function)
    }
}

/// Compiles to machine code of the card, once per program: half a second each.
fn compile(source: Source, architecture: &str) -> Result<Vec<u8>, String> {
    let headers = cubecl::cuda::install::cuda_path().ok_or("the CUDA headers were not found: set CUDA_PATH to the toolkit")?;
    let mut options = vec!["--std=c++17".to_owned(), architecture.to_owned(), format!("-I{}", headers.join("include").display())];
    options.extend(source.defines());
    let text = CString::new(source.text()).map_err(tried("read the kernels"))?;
    let program = nvrtc::result::create_program(&text, None).map_err(tried("start the kernel compiler (libnvrtc)"))?;
    // SAFETY: the program was just made, and is destroyed once at the end; sizes are those NVRTC gives.
    unsafe {
        let compiled = nvrtc::result::compile_program(program, &options);
        let image = match compiled {
            Ok(()) => {
                let mut size = 0;
                nvrtc::sys::nvrtcGetCUBINSize(program, &mut size).result().map_err(tried("get the kernels"))?;
                let mut image = vec![0u8; size];
                nvrtc::sys::nvrtcGetCUBIN(program, image.as_mut_ptr().cast()).result().map_err(tried("get the kernels"))?;
                Ok(image)
            }
            Err(error) => {
                let log = nvrtc::result::get_program_log(program).unwrap_or_default();
                let log = if log.is_empty() { String::new() } else { CStr::from_ptr(log.as_ptr()).to_string_lossy().into_owned() };
                Err(format!("compile {source:?}: {error:?} {log}"))
            }
        };
        nvrtc::result::destroy_program(program).map_err(tried("end the kernel compiler"))?;
        image
    }
}
