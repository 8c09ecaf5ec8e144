//! How much memory and work will drawing take?
//!
//! Groups with opacity, masks, clips and filters are drawn on layers of their own, one above the
//! other as they are nested; patterns are drawn on tiles; filters look at many pixels for each.

use std::time::Duration;

use resvg::tiny_skia::{Path, Transform};
use resvg::usvg::filter::Kind;
use resvg::usvg::{ClipPath, Fill, Group, ImageKind, Mask, Node, Paint, Pattern, Stroke, Tree};

use super::too_complex;
use crate::DecodeError;

/// Pixel operations a second, on a slow machine.
const SPEED: f64 = 1e8;

/// Layers may be this many canvases large: filters see what lies around.
const N_CANVASES: f64 = 25.0;

/// Refuses a drawing that takes too much of either, on a canvas of this size in pixels.
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
        most_layers: 0.0,
        work: 0.0,
    };
    cost.group(tree.root());
    let memory = 4.0 * (cost.canvas + cost.most_layers);
    if memory > n_bytes as f64 || cost.work > SPEED * time.as_secs_f64() {
        return Err(too_complex());
    }
    Ok(())
}

struct Cost {
    scale: f64,
    /// Pixels of the canvas.
    canvas: f64,
    /// Pixels of all layers that lie above each other now, and at most.
    layers: f64,
    most_layers: f64,
    work: f64,
}

impl Cost {
    /// Holds layers of so many pixels while something is drawn.
    fn hold(&mut self, n_pixels: f64, draw: impl FnOnce(&mut Self)) {
        self.layers += n_pixels;
        self.most_layers = self.most_layers.max(self.layers);
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
        let layer = (side(width) * side(height)).min(N_CANVASES * self.canvas);
        self.hold(layer, |cost| {
            for node in group.children() {
                cost.node(node);
            }
            for filter in group.filters() {
                cost.hold((filter.primitives().len() as f64 + 2.0) * layer, |cost| {
                    for primitive in filter.primitives() {
                        cost.work += layer * cost.per_pixel(primitive.kind());
                        if let Kind::Image(image) = primitive.kind() {
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
                    // Unpacking a pixel is some work.
                    _ => self.hold(2.0 * n_pixels, |cost| cost.work += 20.0 * n_pixels),
                }
            }
            Node::Text(_) => {}
        }
    }

    /// An outline: at worst it covers the canvas, and all of its lines are crossed in each row.
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

    /// Operations a pixel of a filter's region.
    fn per_pixel(&self, kind: &Kind) -> f64 {
        match kind {
            Kind::Turbulence(turbulence) => 40.0 * (1.0 + f64::from(turbulence.num_octaves())),
            Kind::Morphology(morphology) => {
                // In the drawing's units; what is wider than the canvas is cut off.
                let side = |radius: f32| 2.0 * f64::from(radius) * self.scale + 1.0;
                let window = side(morphology.radius_x().get()) * side(morphology.radius_y().get());
                2.0 * window.min(N_CANVASES * self.canvas)
            }
            Kind::ConvolveMatrix(convolution) => {
                let matrix = convolution.matrix();
                4.0 * f64::from(matrix.columns()) * f64::from(matrix.rows())
            }
            Kind::DiffuseLighting(_) | Kind::SpecularLighting(_) => 80.0,
            Kind::GaussianBlur(_) | Kind::DropShadow(_) => 60.0,
            _ => 20.0,
        }
    }
}
