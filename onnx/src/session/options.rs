//! Threads and device of a session.

use std::path::Path;
use std::thread::available_parallelism;

use ort::ep::{CPU, ExecutionProviderDispatch};
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};

use crate::device::{Device, DeviceError};
use crate::error::EncodeError;
use crate::source::Source;

/// How a tower's session runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionOptions {
    /// Processor threads per run; `None`: one per core.
    pub n_threads: Option<usize>,
    /// What runs the graph. A device that is unavailable is an error; the processor never takes
    /// its place.
    pub device: Device,
    /// Whether the session will run a few times only, as for one query from the command line. A
    /// built-in graph is then run as it is: ONNX Runtime takes longer to optimize it, mostly to
    /// unpack its weights to f32, than it saves in the first runs. Its weights are not copied
    /// either, but read from the program. Embeddings differ by less than 1e-6. The graphs of other
    /// models are optimized in any case; with quantized ones, that may change more.
    pub few_runs: bool,
}

impl SessionOptions {
    /// Processor threads per run, at least 1.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.n_threads
            .unwrap_or_else(|| available_parallelism().map_or(1, usize::from))
            .max(1)
    }

    /// Whether the graph in `source` is run without being optimized.
    pub(super) fn runs_as_it_is(&self, source: &Source) -> bool {
        self.few_runs && source.built_in.is_some()
    }

    /// Configures a session for the graph in `source`; `library` is the loaded ONNX Runtime, for
    /// messages.
    pub(super) fn apply(
        &self,
        builder: SessionBuilder,
        library: &Path,
        source: &Source,
    ) -> Result<SessionBuilder, EncodeError> {
        let file = &source.path;
        let failed = |source: ort::Error| EncodeError::Load {
            file: file.clone(),
            source: Box::new(source),
        };
        self.device.check()?;
        let mut providers = Vec::new();
        if let Some((provider, available)) = provider_of(self.device) {
            if !available.map_err(failed)? {
                return Err(EncodeError::Device(DeviceError::NotInLibrary {
                    device: self.device,
                    library: library.to_path_buf(),
                }));
            }
            providers.push(provider.error_on_failure());
        }
        let configured = || -> ort::Result<SessionBuilder> {
            Ok(builder
                .with_intra_threads(self.threads())?
                // Spinning threads take cores from decoding the next pictures.
                .with_intra_op_spinning(false)?
                // A memory pattern is computed for one input shape, but batches differ in size.
                .with_memory_pattern(false)?)
        };
        let mut builder = configured().map_err(failed)?;
        if self.runs_as_it_is(source) {
            let level = GraphOptimizationLevel::Disable;
            builder = builder
                .with_optimization_level(level)
                .map_err(|error| failed(error.into()))?;
        }
        providers.push(CPU::default().with_arena_allocator(true).build());
        match builder.with_execution_providers(providers) {
            Ok(builder) => Ok(builder),
            Err(error) if self.device == Device::Cpu => Err(failed(error.into())),
            Err(error) => Err(EncodeError::Device(DeviceError::Refused {
                device: self.device,
                library: library.to_path_buf(),
                source: Box::new(<ort::Error>::from(error)),
            })),
        }
    }
}

/// The execution provider of a device, and whether the loaded library has it; `None` for the
/// processor and for devices that are not built in.
fn provider_of(device: Device) -> Option<(ExecutionProviderDispatch, ort::Result<bool>)> {
    match device {
        #[cfg(feature = "cuda")]
        Device::Cuda => Some(provider(ort::ep::CUDA::default())),
        #[cfg(feature = "coreml")]
        Device::CoreMl => Some(provider(ort::ep::CoreML::default())),
        #[cfg(feature = "directml")]
        Device::DirectMl => Some(provider(ort::ep::DirectML::default())),
        _ => None,
    }
}

#[cfg(any(feature = "cuda", feature = "coreml", feature = "directml"))]
fn provider<P>(provider: P) -> (ExecutionProviderDispatch, ort::Result<bool>)
where
    P: ort::ep::ExecutionProvider + Into<ExecutionProviderDispatch>,
{
    (provider.into(), P::is_available())
}
