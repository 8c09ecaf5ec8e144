//! On what, and with how many threads, does a graph run?

use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::thread::available_parallelism;

use ort::ep::{CPU, ExecutionProviderDispatch};
use ort::session::builder::SessionBuilder;

use crate::error::{DeviceError, EncodeError};

/// What runs a model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Device {
    /// The processor. Always there, and the only one that is used without being asked for.
    #[default]
    Cpu,
    /// An NVIDIA card, through CUDA (cargo feature `cuda`).
    Cuda,
    /// Apple's `CoreML` (cargo feature `coreml`).
    CoreMl,
    /// `DirectX` 12 on Windows (cargo feature `directml`).
    DirectMl,
}

impl Device {
    /// Every device there is a name for, the processor first.
    pub const ALL: [Self; 4] = [Self::Cpu, Self::Cuda, Self::CoreMl, Self::DirectMl];

    /// Its name, which is also the name of its cargo feature.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
            Self::CoreMl => "coreml",
            Self::DirectMl => "directml",
        }
    }

    /// Whether this build can ask ONNX Runtime for it. The library found at run time must have it
    /// too, which shows when a graph is loaded.
    #[must_use]
    pub fn is_built_in(self) -> bool {
        match self {
            Self::Cpu => true,
            Self::Cuda => cfg!(feature = "cuda"),
            Self::CoreMl => cfg!(feature = "coreml"),
            Self::DirectMl => cfg!(feature = "directml"),
        }
    }

    /// Fails when this build cannot ask for the device.
    ///
    /// # Errors
    /// [`DeviceError::NotBuiltIn`], which names the cargo feature.
    pub fn check(self) -> Result<(), DeviceError> {
        if self.is_built_in() {
            Ok(())
        } else {
            Err(DeviceError::NotBuiltIn { device: self })
        }
    }

    /// The execution provider that serves it, and whether the loaded library knows it; `None` for
    /// the processor, and for what is not built in.
    fn provider(self) -> Option<(ExecutionProviderDispatch, ort::Result<bool>)> {
        match self {
            #[cfg(feature = "cuda")]
            Self::Cuda => Some(provider(ort::ep::CUDA::default())),
            #[cfg(feature = "coreml")]
            Self::CoreMl => Some(provider(ort::ep::CoreML::default())),
            #[cfg(feature = "directml")]
            Self::DirectMl => Some(provider(ort::ep::DirectML::default())),
            _ => None,
        }
    }
}

#[cfg(any(feature = "cuda", feature = "coreml", feature = "directml"))]
fn provider<P>(provider: P) -> (ExecutionProviderDispatch, ort::Result<bool>)
where
    P: ort::ep::ExecutionProvider + Into<ExecutionProviderDispatch>,
{
    (provider.into(), P::is_available())
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Device {
    type Err = DeviceError;

    fn from_str(name: &str) -> Result<Self, DeviceError> {
        let mut all = Self::ALL.into_iter();
        all.find(|device| device.name() == name)
            .ok_or_else(|| DeviceError::Unknown {
                name: name.to_owned(),
            })
    }
}

/// How an encoder's session runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionOptions {
    /// Threads of the processor that one run spreads over; `None`: as many as there are cores.
    pub n_threads: Option<usize>,
    /// What runs the graph. A device that cannot be had is an error, never the processor instead.
    pub device: Device,
    /// Whether threads that wait for their next piece of work keep their core busy meanwhile. It
    /// shortens a run that has the machine to itself, and takes the cores from whatever else runs,
    /// such as the decoding of the next pictures. Off unless asked for.
    pub spin: bool,
}

impl SessionOptions {
    /// The same options with this many threads.
    #[must_use]
    pub fn with_threads(mut self, n_threads: usize) -> Self {
        self.n_threads = Some(n_threads);
        self
    }

    /// The same options on this device.
    #[must_use]
    pub fn with_device(mut self, device: Device) -> Self {
        self.device = device;
        self
    }

    /// The same options, with waiting threads that spin or sleep.
    #[must_use]
    pub fn with_spin(mut self, spin: bool) -> Self {
        self.spin = spin;
        self
    }

    /// Threads of the processor that one run spreads over, at least 1.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.n_threads
            .unwrap_or_else(|| available_parallelism().map_or(1, usize::from))
            .max(1)
    }

    /// Sets a session up; `library` is the loaded ONNX Runtime, for messages.
    pub(super) fn apply(
        &self,
        builder: SessionBuilder,
        library: &Path,
    ) -> Result<SessionBuilder, SetUpError> {
        self.device.check()?;
        let mut providers = Vec::new();
        if let Some((provider, available)) = self.device.provider() {
            if !available? {
                return Err(SetUpError::Device(DeviceError::NotInLibrary {
                    device: self.device,
                    library: library.to_path_buf(),
                }));
            }
            providers.push(provider.error_on_failure());
        }
        // Batches differ in size, so a plan of where each tensor lies would serve one of them.
        let builder = builder
            .with_intra_threads(self.threads())
            .map_err(<ort::Error>::from)?
            .with_intra_op_spinning(self.spin)
            .map_err(<ort::Error>::from)?
            .with_memory_pattern(false)
            .map_err(<ort::Error>::from)?;
        providers.push(CPU::default().with_arena_allocator(true).build());
        match builder.with_execution_providers(providers) {
            Ok(builder) => Ok(builder),
            Err(error) if self.device == Device::Cpu => Err(SetUpError::Library(error.into())),
            Err(error) => Err(SetUpError::Device(DeviceError::Refused {
                device: self.device,
                library: library.to_path_buf(),
                source: Box::new(<ort::Error>::from(error)),
            })),
        }
    }
}

/// Why a session could not be set up.
pub(super) enum SetUpError {
    /// The device cannot be had.
    Device(DeviceError),
    /// ONNX Runtime failed.
    Library(ort::Error),
}

impl SetUpError {
    /// As the error of loading this graph.
    pub(super) fn of_graph(self, file: &Path) -> EncodeError {
        match self {
            Self::Device(source) => EncodeError::Device(source),
            Self::Library(source) => EncodeError::Load {
                file: file.to_path_buf(),
                source: Box::new(source),
            },
        }
    }
}

impl From<DeviceError> for SetUpError {
    fn from(error: DeviceError) -> Self {
        Self::Device(error)
    }
}

impl From<ort::Error> for SetUpError {
    fn from(error: ort::Error) -> Self {
        Self::Library(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_named_one_way() {
        for device in Device::ALL {
            assert_eq!(device.to_string().parse::<Device>().unwrap(), device);
        }
        let error = "gpu".parse::<Device>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "there is no device named gpu (cpu, cuda, coreml, directml)"
        );
    }

    #[test]
    fn what_is_not_built_in_names_its_feature() {
        let mut n_missing = 0;
        for device in Device::ALL {
            match device.check() {
                Ok(()) => assert!(device.is_built_in()),
                Err(error) => {
                    let feature = format!("cargo feature {device}");
                    assert!(error.to_string().contains(&feature), "{error}");
                    n_missing += 1;
                }
            }
        }
        let n_features = [
            cfg!(feature = "cuda"),
            cfg!(feature = "coreml"),
            cfg!(feature = "directml"),
        ];
        let n_features = n_features.into_iter().filter(|&on| on).count();
        assert_eq!(n_missing, 3 - n_features);
    }
}
