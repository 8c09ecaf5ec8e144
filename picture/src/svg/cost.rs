//! Memory and work of rendering a drawing, estimated from its parsed tree.
//!
//! Groups with opacity, masks, clips and filters are rendered on layers of their own, which are
//! stacked as the groups are nested. Patterns are rendered on tiles. Filters read many pixels for
//! each that they write.

use std::time::Duration;

use resvg::tiny_skia::{Path, Transform};
use resvg::usvg::filter::Kind as FilterKind;
use resvg::usvg::{ClipPath, Fill, Group, ImageKind, Mask, Node, Paint, Pattern, Stroke, Tree};

use super::DecodeError;

/// Pixel operations per second on a slow machine.
const SPEED: f64 = 1e8;

/// Maximum size of a layer in canvases: filters read the surroundings of what they show.
const MAX_CANVASES: f64 = 25.0;

pub(super) fn too_complex() -> DecodeError {
    DecodeError::unsupported("SVG too complex to be drawn")
}

/// Checks the memory and work of rendering on a canvas of this size in pixels.
///
/// # Errors
/// [`too_complex`] when either is too large.
pub(super) fn check(
    tree: &Tree,
    scale: f32,
    (width, height): (u32, u32),
    n_bytes: u64,
    time: Duration,
) -> Result<(), DecodeError> {
    let mut cost = Cost {
        scale: f64::from(scale),
        canvas: f64::from(width) * f64::from(height),
        layers: 0.0,
        peak_layers: 0.0,
        work: 0.0,
    };
    cost.group(tree.root());
    let memory = 4.0 * (cost.canvas + cost.peak_layers);
    if memory > n_bytes as f64 || cost.work > SPEED * time.as_secs_f64() {
        return Err(too_complex());
    }
    Ok(())
}

struct Cost {
    scale: f64,
    /// Pixels of the canvas.
    canvas: f64,
    /// Pixels of all layers that are held now.
    layers: f64,
    /// The most that were held at once.
    peak_layers: f64,
    /// Pixel operations.
    work: f64,
}

impl Cost {
    /// Counts layers of `n_pixels` that are held during `draw`.
    fn hold(&mut self, n_pixels: f64, draw: impl FnOnce(&mut Self)) {
        self.layers += n_pixels;
        self.peak_layers = self.peak_layers.max(self.layers);
        self.work += 2.0 * n_pixels;
        draw(self);
        self.layers -= n_pixels;
    }

    fn group(&mut self, group: &Group) {
        if !group.should_isolate() {
            for node in group.children() {
                self.node(node);
            }
            return;
        }
        let bounds = group.abs_layer_bounding_box();
        let (width, height) = (f64::from(bounds.width()), f64::from(bounds.height()));
        let side = |length: f64| length * self.scale + 6.0;
        let layer = (side(width) * side(height)).min(MAX_CANVASES * self.canvas);
        self.hold(layer, |cost| {
            for node in group.children() {
                cost.node(node);
            }
            for filter in group.filters() {
                cost.hold((filter.primitives().len() as f64 + 2.0) * layer, |cost| {
                    for primitive in filter.primitives() {
                        cost.work += layer * cost.per_pixel(primitive.kind());
                        if let FilterKind::Image(image) = primitive.kind() {
                            cost.group(image.root());
                        }
                    }
                });
            }
            if let Some(clip) = group.clip_path() {
                cost.clip(clip, layer);
            }
            if let Some(mask) = group.mask() {
                cost.mask(mask, layer);
            }
        });
    }

    fn clip(&mut self, clip: &ClipPath, layer: f64) {
        self.hold(layer, |cost| {
            cost.group(clip.root());
            if let Some(clip) = clip.clip_path() {
                cost.clip(clip, layer);
            }
        });
    }

    fn mask(&mut self, mask: &Mask, layer: f64) {
        self.hold(2.0 * layer, |cost| {
            cost.group(mask.root());
            if let Some(mask) = mask.mask() {
                cost.mask(mask, layer);
            }
        });
    }

    fn node(&mut self, node: &Node) {
        match node {
            Node::Group(group) => self.group(group),
            Node::Path(path) => {
                let fill = path.fill().map(Fill::paint);
                let stroke = path.stroke().map(Stroke::paint);
                for paint in [fill, stroke].into_iter().flatten() {
                    self.lines(path.data());
                    if let Paint::Pattern(pattern) = paint {
                        self.pattern(pattern, path.abs_transform());
                    }
                }
            }
            Node::Image(image) => {
                let size = image.size();
                let n_pixels = f64::from(size.width()) * f64::from(size.height());
                match image.kind() {
                    ImageKind::SVG(tree) => self.group(tree.root()),
                    // Decompressing a pixel takes about 20 operations.
                    _ => self.hold(2.0 * n_pixels, |cost| cost.work += 20.0 * n_pixels),
                }
            }
            Node::Text(_) => {}
        }
    }

    /// An outline. At worst it covers the canvas, and each row crosses all of its lines.
    fn lines(&mut self, path: &Path) {
        let n_lines = path.len() as f64;
        self.work += self.canvas + 500.0 * n_lines;
    }

    fn pattern(&mut self, pattern: &Pattern, around: Transform) {
        let whole = around.pre_concat(pattern.transform());
        let (sx, sy) = (
            f64::from(whole.sx.hypot(whole.ky)),
            f64::from(whole.kx.hypot(whole.sy)),
        );
        let rect = pattern.rect();
        let width = f64::from(rect.width()) * sx * self.scale + 1.0;
        let height = f64::from(rect.height()) * sy * self.scale + 1.0;
        self.hold(width * height, |cost| cost.group(pattern.root()));
    }

    /// Operations per pixel of a filter's region.
    fn per_pixel(&self, kind: &FilterKind) -> f64 {
        match kind {
            FilterKind::Turbulence(turbulence) => {
                40.0 * (1.0 + f64::from(turbulence.num_octaves()))
            }
            FilterKind::Morphology(morphology) => {
                // Radii are in the drawing's units.
                let side = |radius: f32| 2.0 * f64::from(radius) * self.scale + 1.0;
                let window = side(morphology.radius_x().get()) * side(morphology.radius_y().get());
                2.0 * window.min(MAX_CANVASES * self.canvas)
            }
            FilterKind::ConvolveMatrix(convolution) => {
                let matrix = convolution.matrix();
                4.0 * f64::from(matrix.columns()) * f64::from(matrix.rows())
            }
            FilterKind::DiffuseLighting(_) | FilterKind::SpecularLighting(_) => 80.0,
            FilterKind::GaussianBlur(_) | FilterKind::DropShadow(_) => 60.0,
            _ => 20.0,
        }
    }
}
