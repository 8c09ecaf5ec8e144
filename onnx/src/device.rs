//! Devices that a model may run on.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// What runs a model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Device {
    /// The processor: always available, and the default.
    #[default]
    Cpu,
    /// An NVIDIA GPU, through CUDA (cargo feature `cuda`).
    Cuda,
    /// Apple's `CoreML` (cargo feature `coreml`).
    CoreMl,
    /// `DirectX` 12 on Windows (cargo feature `directml`).
    DirectMl,
}

impl Device {
    const ALL: [Self; 4] = [Self::Cpu, Self::Cuda, Self::CoreMl, Self::DirectMl];

    /// Its name, which is also the name of its cargo feature.
    fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
            Self::CoreMl => "coreml",
            Self::DirectMl => "directml",
        }
    }

    fn is_built_in(self) -> bool {
        match self {
            Self::Cpu => true,
            Self::Cuda => cfg!(feature = "cuda"),
            Self::CoreMl => cfg!(feature = "coreml"),
            Self::DirectMl => cfg!(feature = "directml"),
        }
    }

    /// Fails when this build does not support the device. The ONNX Runtime library found at run
    /// time must support it too, which is checked when a graph is loaded.
    ///
    /// # Errors
    /// [`DeviceError::NotBuiltIn`].
    pub fn check(self) -> Result<(), DeviceError> {
        if self.is_built_in() {
            Ok(())
        } else {
            Err(DeviceError::NotBuiltIn { device: self })
        }
    }
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

/// Why a device cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// No device has this name.
    #[error("unknown device `{name}`: expected cpu, cuda, coreml or directml")]
    Unknown {
        /// The name given.
        name: String,
    },
    /// This build does not support the device.
    #[error("this build does not support {device}: it needs the cargo feature `{device}`")]
    NotBuiltIn {
        /// The device asked for.
        device: Device,
    },
    /// The ONNX Runtime library does not support the device.
    #[error("{}: this ONNX Runtime was built without {device}", library.display())]
    NotInLibrary {
        /// The device asked for.
        device: Device,
        /// The library.
        library: PathBuf,
    },
    /// ONNX Runtime supports the device but cannot use it, for example because a driver or a
    /// library is missing.
    #[error("{}: ONNX Runtime cannot use {device}", library.display())]
    Refused {
        /// The device asked for.
        device: Device,
        /// The library.
        library: PathBuf,
        /// ONNX Runtime's error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_parses_from_its_displayed_name() {
        for device in Device::ALL {
            assert_eq!(device.to_string().parse::<Device>().unwrap(), device);
        }
        let error = "gpu".parse::<Device>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "unknown device `gpu`: expected cpu, cuda, coreml or directml"
        );
    }

    #[test]
    fn a_device_that_is_not_built_in_names_its_cargo_feature() {
        let mut n_missing = 0;
        for device in Device::ALL {
            match device.check() {
                Ok(()) => assert!(device.is_built_in()),
                Err(error) => {
                    let feature = format!("cargo feature `{device}`");
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
