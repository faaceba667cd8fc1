//! The names of cubecl's LLVM back end that cubecl-cuda refers to, without the back end.
//!
//! See README.md for the reason. Nothing here is reached while the `cuda-cpp` back end is chosen.

use core::convert::Infallible;

use cubecl_core::ir::nvidia::SmArch;
use cubecl_core::prelude::KernelDefinition;
use cubecl_runtime::compiler::CompilationError;
use cubecl_runtime::kernel::BufferIOAttr;

pub mod nvptx {
    //! PTX versions.
    pub mod ptx_version {
        //! The version that the LLVM back end would emit.
        use core::fmt;

        /// A PTX version. There is none: without the back end no PTX is emitted.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub struct PtxVersion(super::super::Infallible);

        impl PtxVersion {
            /// None, whatever the driver.
            pub fn for_driver(_driver: i32) -> Option<Self> {
                None
            }
        }

        impl fmt::Display for PtxVersion {
            fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.0 {}
            }
        }
    }
}

pub mod shared {
    //! What the back end shares between its targets.
    pub mod lowered_features {
        //! Features of a device that the back end would lower.
        use cubecl_core::ir::DeviceProperties;

        /// The target that features are narrowed for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum GpuTarget {
            /// NVIDIA.
            Nvptx,
        }

        /// Does nothing: it is only called when the LLVM back end was chosen, which cannot compile.
        pub fn restrict_features(_properties: &mut DeviceProperties, _target: GpuTarget) {}
    }
}

/// The target of the compiler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LlvmTarget {
    /// NVIDIA.
    Nvptx,
}

/// Options of the compiler; kept because cubecl-cuda fills them in.
#[derive(Clone, Debug, Default)]
pub struct PlironOptions {
    pub arch: Option<()>,
    pub sm_arch: Option<SmArch>,
    pub ptx_version: Option<nvptx::ptx_version::PtxVersion>,
    pub grid_constants: bool,
    /// The original has more fields, so callers end with `..Default::default()`.
    pub unused: (),
}

/// A compiled module. It is never made.
#[derive(Clone, Debug)]
pub struct NvptxModule {
    pub ptx: Vec<core::ffi::c_char>,
    pub entrypoint: String,
    pub ir: String,
    pub shared_memory_size: usize,
    pub io: Vec<BufferIOAttr>,
}

/// What compiling would give.
#[derive(Clone, Debug)]
pub enum PlironArtifact {
    /// A module for NVIDIA.
    NvptxCode(NvptxModule),
    /// Another target; never made.
    Other(Infallible),
}

/// The compiler, which only says that it is not there.
#[derive(Clone, Debug)]
pub struct PlironCompiler {
    pub target: LlvmTarget,
}

impl PlironCompiler {
    /// Always an error.
    pub fn compile(&mut self, _kernel: KernelDefinition, _options: &PlironOptions) -> Result<PlironArtifact, CompilationError> {
        Err(CompilationError::Generic {
            reason: "this build has no LLVM back end: choose the CUDA C++ one (cubecl's feature `cuda-cpp`)".to_owned(),
            backtrace: cubecl_environment::backtrace::BackTrace::capture(),
        })
    }

    /// The tag of the language that the back end reads.
    pub fn lang_tag(&self) -> &'static str {
        "llvm"
    }
}
