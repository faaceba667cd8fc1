//! Where training runs.

use std::fmt;
use std::str::FromStr;

use burn::tensor::Device;
use serde::Serialize;

use crate::error::{Error, Result};

/// A device as the command line names it: `cpu`, `cuda`, `cuda:INDEX`, or `cuda:FIRST-LAST` for several cards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DeviceSpec {
    /// This machine's processor.
    #[default]
    Cpu,
    /// An NVIDIA card by number, from 0.
    Cuda(usize),
    /// Cards of consecutive numbers, each with a share of every batch; at least two.
    Cards {
        /// The first one's number.
        first: usize,
        /// How many.
        count: usize,
    },
}

/// Most cards of one machine: far above any.
const MAX_CARDS: usize = 64;

impl FromStr for DeviceSpec {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let unknown =
            || Error::Device { device: format!("`{text}`"), detail: "not one of cpu, cuda, cuda:INDEX, cuda:FIRST-LAST".to_owned() };
        let cards = |text: &str| match text.split_once('-') {
            None => text.parse().ok().map(Self::Cuda),
            Some((first, last)) => {
                let [first, last] = [first, last].map(|index| index.parse::<usize>().ok());
                let (first, count) = (first?, last?.checked_sub(first?)?.checked_add(1)?);
                let one = if count == 1 { Self::Cuda(first) } else { Self::Cards { first, count } };
                (count <= MAX_CARDS).then_some(one)
            }
        };
        match text {
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            _ => text.strip_prefix("cuda:").and_then(cards).ok_or_else(unknown),
        }
    }
}

impl fmt::Display for DeviceSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
            Self::Cards { first, count } => write!(f, "cuda:{first}-{}", first + count - 1),
        }
    }
}

impl DeviceSpec {
    /// The device, ready to hold tensors; the first of several.
    pub fn open(self) -> Result<Device> {
        match self {
            Self::Cpu => Ok(Device::flex()),
            Self::Cuda(index) | Self::Cards { first: index, .. } => self.card(index),
        }
    }

    /// How many devices these are.
    pub(crate) fn count(self) -> usize {
        match self {
            Self::Cards { count, .. } => count,
            _ => 1,
        }
    }

    /// All devices, ready to hold tensors.
    pub(crate) fn open_all(self) -> Result<Vec<Device>> {
        match self {
            Self::Cards { first, count } => (first..first + count).map(|index| self.card(index)).collect(),
            one => Ok(vec![one.open()?]),
        }
    }

    /// Makes a group of several cards, which can then add up what they have.
    pub(crate) fn join(self) -> Result<()> {
        let Self::Cards { first, .. } = self else { return Ok(()) };
        cuda::join(first, &self.open_all()?).map_err(|detail| Error::Device { device: self.to_string(), detail })
    }

    fn card(self, index: usize) -> Result<Device> {
        cuda::open(index).map_err(|detail| Error::Device { device: self.to_string(), detail })
    }
}

/// Whether a device is an NVIDIA card.
pub(crate) fn is_cuda(device: &Device) -> bool {
    cuda::is(device)
}

/// Whether a device is an NVIDIA card of compute capability 8.0 or more.
pub(crate) fn has_bf16(device: &Device) -> bool {
    cuda::has_bf16(device)
}

/// A backend that malmoi knows, and whether this build on this machine has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Backend {
    /// What `--device` takes.
    pub device: String,
    /// Whether it can be used.
    pub available: bool,
    /// What it is, or what is missing.
    pub detail: String,
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.device, if self.available { "available" } else { "not available" }, self.detail)
    }
}

/// The backends, those of this build and those it lacks.
pub fn backends() -> Vec<Backend> {
    let cpu = Backend { device: "cpu".to_owned(), available: true, detail: "Burn's flex backend, 32-bit floats".to_owned() };
    let cuda = match cuda::count() {
        Ok(count) => Backend { device: "cuda".to_owned(), available: true, detail: format!("{count} NVIDIA card(s)") },
        Err(detail) => Backend { device: "cuda".to_owned(), available: false, detail },
    };
    vec![cpu, cuda]
}

#[cfg(not(feature = "cuda"))]
mod cuda {
    const MISSING: &str = "this build has no CUDA; build malmoi with `--features cuda`";

    pub(super) fn open(_index: usize) -> Result<burn::tensor::Device, String> {
        Err(MISSING.to_owned())
    }

    pub(super) fn count() -> Result<usize, String> {
        Err(MISSING.to_owned())
    }

    pub(super) fn join(_first: usize, _cards: &[burn::tensor::Device]) -> Result<(), String> {
        Err(MISSING.to_owned())
    }

    pub(super) fn has_bf16(_device: &burn::tensor::Device) -> bool {
        false
    }

    pub(super) fn is(_device: &burn::tensor::Device) -> bool {
        false
    }
}

#[cfg(feature = "cuda")]
mod cuda {
    use burn::tensor::{Device, DeviceType};

    pub(super) fn open(index: usize) -> Result<Device, String> {
        let count = count()?;
        if index >= count {
            return Err(format!("there is no card {index}, this machine has {count}"));
        }
        Ok(Device::cuda(index))
    }

    pub(super) fn has_bf16(device: &Device) -> bool {
        crate::kernels::gpu::on_bf16_card(burn::tensor::Tensor::<1>::zeros([1], device))
    }

    pub(super) fn is(device: &Device) -> bool {
        crate::kernels::gpu::on_card(&burn::tensor::Tensor::<1>::zeros([1], device))
    }

    pub(super) fn join(first: usize, cards: &[Device]) -> Result<(), String> {
        crate::kernels::gpu::join(first, cards)
    }

    pub(super) fn count() -> Result<usize, String> {
        match Device::enumerate(DeviceType::Cuda).into_vec().len() {
            0 => Err("no NVIDIA card, or its driver (libcuda.so.1) could not be loaded".to_owned()),
            count => Ok(count),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_back() {
        for (text, device) in [
            ("cpu", DeviceSpec::Cpu),
            ("cuda", DeviceSpec::Cuda(0)),
            ("cuda:3", DeviceSpec::Cuda(3)),
            ("cuda:1-4", DeviceSpec::Cards { first: 1, count: 4 }),
        ] {
            assert_eq!(text.parse::<DeviceSpec>().unwrap(), device);
            assert_eq!(device.to_string().parse::<DeviceSpec>().unwrap(), device);
        }
        assert_eq!("cuda:2-2".parse::<DeviceSpec>().unwrap(), DeviceSpec::Cuda(2));
        for text in [
            "cuda:1-0",
            "cuda:-",
            "cuda:0-",
            "cuda:0-18446744073709551615",
            "cuda:0-99",
            "",
            "gpu",
            "cuda:",
            "cuda:-1",
            "cuda:99999999999999999999",
            "cpu:0",
        ] {
            assert!(text.parse::<DeviceSpec>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_cpu_is_always_there() {
        let backends = backends();
        assert!(backends.iter().any(|backend| backend.device == "cpu" && backend.available));
        DeviceSpec::Cpu.open().unwrap();
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn cuda_in_a_cpu_build_says_how_to_get_it() {
        let error = DeviceSpec::Cuda(1).open().unwrap_err().to_string();
        assert_eq!(error, "device cuda:1: this build has no CUDA; build malmoi with `--features cuda`");
    }
}
