//! What turns a tower's output into an embedding, where the graph ends before that: pooling over
//! tokens or patches, a normalisation, a last linear layer.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};

use crate::error::ModelError;

/// How the vectors of a tower's tokens or patches become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Pool {
    /// The first one.
    Cls,
    /// Their mean; of a text, without padding.
    Mean,
}

/// The description of a head. The default leaves the graph's output as it is.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct HeadSpec {
    pub(crate) pool: Option<Pool>,
    /// Whether the pooled vector gets mean 0 and variance 1, as `torch.nn.functional.layer_norm`
    /// without weights does.
    pub(crate) layer_norm: bool,
    pub(crate) dense: Option<DenseSpec>,
}

/// A linear layer of sentence-transformers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DenseSpec {
    /// `model.safetensors`, with `linear.weight` `[n_out, n_in]` and maybe `linear.bias` `[n_out]`.
    pub(crate) file: PathBuf,
    pub(crate) n_in: usize,
    pub(crate) n_out: usize,
    pub(crate) has_bias: bool,
    /// Whether its output goes through the hyperbolic tangent.
    pub(crate) tanh: bool,
}

impl HeadSpec {
    /// Number of values of the graph's output per item, token or patch, for embeddings of this
    /// dimension.
    pub(crate) fn width(&self, dimension: usize) -> usize {
        self.dense.as_ref().map_or(dimension, |dense| dense.n_in)
    }

    /// Written out for the fingerprint; empty for a head that does nothing.
    pub(crate) fn describe(&self) -> String {
        let Self {
            pool,
            layer_norm,
            dense,
        } = self;
        let mut text = String::new();
        if let Some(pool) = pool {
            let _ = write!(text, " {pool:?}");
        }
        if *layer_norm {
            text += " layer norm";
        }
        if let Some(DenseSpec {
            file: _,
            n_in,
            n_out,
            has_bias,
            tanh,
        }) = dense
        {
            let _ = write!(text, " dense {n_in} {n_out} {has_bias} {tanh}");
        }
        text
    }
}

/// A loaded head.
pub(crate) struct Head {
    pool: Option<Pool>,
    layer_norm: bool,
    dense: Option<Dense>,
}

struct Dense {
    /// `[n_out, n_in]`
    weight: Array2<f32>,
    bias: Option<Array1<f32>>,
    tanh: bool,
}

impl Head {
    pub(crate) fn load(spec: &HeadSpec) -> Result<Self, ModelError> {
        Ok(Self {
            pool: spec.pool,
            layer_norm: spec.layer_norm,
            dense: spec.dense.as_ref().map(Dense::load).transpose()?,
        })
    }

    /// One vector per item from the graph's output, which is one row of `width` values per item,
    /// or per token of each item where it is pooled. `mask` is `[n, n_tokens]`, 0 for padding;
    /// `None`: every token counts.
    pub(crate) fn apply(
        &self,
        values: Vec<f32>,
        width: usize,
        n_tokens: usize,
        mask: Option<&Array2<i64>>,
    ) -> Vec<f32> {
        let Some(pool) = self.pool else {
            return self.finish(values, width);
        };
        let mut pooled = Vec::with_capacity(values.len() / n_tokens.max(1));
        for (item, tokens) in values.chunks_exact(n_tokens.max(1) * width).enumerate() {
            let Ok(tokens) = ArrayView2::from_shape((n_tokens, width), tokens) else {
                unreachable!("a chunk has this many values");
            };
            match pool {
                Pool::Cls => pooled.extend(tokens.row(0)),
                Pool::Mean => pooled.extend(mean(&tokens, mask.map(|mask| mask.row(item)))),
            }
        }
        self.finish(pooled, width)
    }

    fn finish(&self, mut values: Vec<f32>, width: usize) -> Vec<f32> {
        if self.layer_norm {
            values.chunks_exact_mut(width).for_each(layer_norm);
        }
        match &self.dense {
            None => values,
            Some(dense) => values
                .chunks_exact(width)
                .flat_map(|row| dense.apply(&ArrayView1::from(row)))
                .collect(),
        }
    }
}

/// The mean of the rows whose mask is not 0; with none, zeros.
fn mean(tokens: &ArrayView2<'_, f32>, mask: Option<ArrayView1<'_, i64>>) -> Array1<f32> {
    let mut sum = Array1::zeros(tokens.ncols());
    let mut n = 0.0;
    for (position, token) in tokens.axis_iter(Axis(0)).enumerate() {
        if mask.is_none_or(|mask| mask.get(position).is_some_and(|&bit| bit != 0)) {
            sum += &token;
            n += 1.0;
        }
    }
    sum / f32::max(n, 1e-9)
}

/// Mean 0 and variance 1, with `PyTorch`'s epsilon of 1e-5 (Ba et al. 2016).
fn layer_norm(values: &mut [f32]) {
    let n = values.len().max(1) as f64;
    let mean = values.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
    let variance = values
        .iter()
        .map(|&x| (f64::from(x) - mean).powi(2))
        .sum::<f64>()
        / n;
    let scale = 1.0 / (variance + 1e-5).sqrt();
    for value in values {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "computed in f64, returned as f32"
        )]
        let scaled = ((f64::from(*value) - mean) * scale) as f32;
        *value = scaled;
    }
}

impl Dense {
    fn load(spec: &DenseSpec) -> Result<Self, ModelError> {
        let file = &spec.file;
        let bytes = fs_err::read(file).map_err(ModelError::unreadable(file))?;
        let invalid = |reason| ModelError::invalid(file, "linear", "its tensors", reason);
        let tensors = SafeTensors::deserialize(&bytes)
            .map_err(|_| invalid("this is not a sound file of safetensors"))?;
        let tensor = |name: &str, shape: &[usize]| {
            let tensor = tensors
                .tensor(name)
                .ok()
                .filter(|found| found.shape() == shape);
            let found = tensor.ok_or_else(|| invalid("a tensor is missing or of another shape"))?;
            floats(&found).ok_or_else(|| invalid("expected tensors of f32 or f16"))
        };
        let (n_in, n_out) = (spec.n_in, spec.n_out);
        let weight = tensor("linear.weight", &[n_out, n_in])?;
        let weight = Array2::from_shape_vec((n_out, n_in), weight)
            .map_err(|_| invalid("a tensor is missing or of another shape"))?;
        let bias = spec.has_bias.then(|| tensor("linear.bias", &[n_out]));
        Ok(Self {
            weight,
            bias: bias.transpose()?.map(Array1::from_vec),
            tanh: spec.tanh,
        })
    }

    fn apply(&self, values: &ArrayView1<'_, f32>) -> Array1<f32> {
        let mut output = self.weight.dot(values);
        if let Some(bias) = &self.bias {
            output += bias;
        }
        if self.tanh {
            output.mapv_inplace(f32::tanh);
        }
        output
    }
}

/// The values of a tensor; `None` for other types than f32 and f16.
fn floats(tensor: &TensorView<'_>) -> Option<Vec<f32>> {
    let bytes = tensor.data();
    match tensor.dtype() {
        Dtype::F32 => {
            let (values, _) = bytes.as_chunks::<4>();
            Some(
                values
                    .iter()
                    .map(|&bytes| f32::from_le_bytes(bytes))
                    .collect(),
            )
        }
        Dtype::F16 => {
            let (values, _) = bytes.as_chunks::<2>();
            let half = |&bytes: &[u8; 2]| half::f16::from_le_bytes(bytes).to_f32();
            Some(values.iter().map(half).collect())
        }
        _ => None,
    }
}

/// Refuses a file of `PyTorch`'s own format, which holds programs.
pub(crate) fn check_dense_file(folder: &Path) -> Result<PathBuf, ModelError> {
    let file = folder.join("model.safetensors");
    ModelError::check_exists(&file)?;
    Ok(file)
}
