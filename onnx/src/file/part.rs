//! Extracts one tower from a graph that holds both.
//!
//! ONNX Runtime runs a graph as a whole: for the embedding of a text it would still require a
//! picture and run the other tower on it. So it is given only the nodes that compute the embedding,
//! and their weights.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::path::Path;

use super::graph::{self, Graph, Node, field};
use super::mapped::Mapped;
use super::wire::{Fields, Malformed, Piece, Rope};

/// The part of a graph that computes one output, as a model of its own. It includes the weights,
/// except those in files beside the graph. `None` where the whole graph is needed, and for invalid
/// files, whose error ONNX Runtime reports.
pub(crate) fn leading_to(file: &Path, output: &str) -> Option<Vec<u8>> {
    let mapped = Mapped::open(file).ok()?;
    let bytes = mapped.bytes();
    let rope = cut(bytes, output).ok()??;
    let mut part = Vec::with_capacity(usize::try_from(rope.len).ok()?);
    for piece in rope.pieces {
        match piece {
            Piece::Copy(span) => part.extend_from_slice(&bytes[span]),
            Piece::Bytes(bytes) => part.extend_from_slice(&bytes),
            // A part has no pieces that are computed later.
            Piece::Later(never) => match never {},
        }
    }
    Some(part)
}

fn cut(file: &[u8], output: &str) -> Result<Option<Rope<Infallible>>, Malformed> {
    let Some(model) = graph::read(file)? else {
        return Ok(None);
    };
    let Some(needed) = Needed::of(&model.graph, output) else {
        return Ok(None);
    };
    let mut inputs = model.graph.inputs.iter();
    if inputs.all(|(name, _)| needed.names.contains(name)) {
        return Ok(None);
    }
    let mut rope = Rope::default();
    for field in Fields::new(file, &(0..file.len())) {
        let field = field?;
        if field.number == field::model::GRAPH {
            rope.nested(
                field::model::GRAPH,
                part(file, &model.graph, &needed, output)?,
            );
        } else {
            rope.copy(&field.whole);
        }
    }
    Ok(Some(rope))
}

fn part(
    file: &[u8],
    graph: &Graph<'_>,
    needed: &Needed<'_>,
    output: &str,
) -> Result<Rope<Infallible>, Malformed> {
    let mut nodes = graph.nodes.iter().enumerate();
    let mut initializers = graph.initializers.iter();
    let mut rope = Rope::default();
    for field in Fields::new(file, &graph.span) {
        let field = field?;
        let out_of_step = Malformed(field.whole.start);
        let is_kept = match field.number {
            field::graph::NODE => {
                let (index, _) = nodes.next().ok_or(out_of_step)?;
                needed.nodes.contains(&index)
            }
            field::graph::INITIALIZER => {
                let tensor = initializers.next().ok_or(out_of_step)?;
                needed.names.contains(tensor.name)
            }
            field::graph::INPUT | field::graph::VALUE_INFO => {
                let name = graph::name_of(file, &field.bytes()?)?;
                needed.names.contains(name)
            }
            field::graph::OUTPUT => graph::name_of(file, &field.bytes()?)? == output,
            _ => true,
        };
        if is_kept {
            rope.copy(&field.whole);
        }
    }
    Ok(rope)
}

/// The nodes and names that an output depends on.
struct Needed<'a> {
    /// By their index in the graph.
    nodes: HashSet<usize>,
    names: HashSet<&'a str>,
}

impl<'a> Needed<'a> {
    /// `None` if no node computes the output.
    fn of(graph: &'a Graph<'a>, output: &'a str) -> Option<Self> {
        let mut producers = HashMap::new();
        for (index, node) in graph.nodes.iter().enumerate() {
            for &name in node.outputs.iter().filter(|name| !name.is_empty()) {
                producers.insert(name, index);
            }
        }
        producers.get(output)?;
        let mut needed = Self {
            nodes: HashSet::new(),
            names: HashSet::new(),
        };
        let mut open = vec![output];
        while let Some(name) = open.pop() {
            if !needed.names.insert(name) {
                continue;
            }
            if let Some(&index) = producers.get(name)
                && needed.nodes.insert(index)
            {
                let node = &graph.nodes[index];
                // A node that is kept keeps all its outputs.
                needed.names.extend(&node.outputs);
                used_by(node, &mut open);
            }
        }
        Some(needed)
    }
}

/// The names that a node reads, including those that graphs inside it may take from outside.
fn used_by<'a>(node: &Node<'a>, names: &mut Vec<&'a str>) {
    names.extend(&node.inputs);
    for inner in node.attributes.iter().flat_map(|one| &one.graphs) {
        names.extend(&inner.outputs);
        for node in &inner.nodes {
            used_by(node, names);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn data(name: &str) -> PathBuf {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
        folder.join(name)
    }

    fn ports(part: &[u8]) -> (Vec<&str>, Vec<&str>, usize) {
        let graph = graph::read(part).unwrap().unwrap().graph;
        let inputs = graph.inputs.into_iter().map(|(name, _)| name).collect();
        (inputs, graph.outputs, graph.nodes.len())
    }

    #[test]
    fn a_part_has_only_what_its_output_depends_on() {
        let file = data("layouts/chinese_clip/onnx/model.onnx");
        let whole = fs_err::read(&file).unwrap();
        let (_, _, n_nodes) = ports(&whole);
        let image = leading_to(&file, "image_embeds").unwrap();
        let (inputs, outputs, n_of_image) = ports(&image);
        assert_eq!(
            (&inputs[..], &outputs[..]),
            (&["pixel_values"][..], &["image_embeds"][..])
        );
        let text = leading_to(&file, "text_embeds").unwrap();
        let (inputs, outputs, n_of_text) = ports(&text);
        assert_eq!(inputs, ["input_ids", "attention_mask"]);
        assert_eq!(outputs, ["text_embeds"]);
        // What joins the towers is in neither part.
        assert!(n_of_image > 0 && n_of_text > 0 && n_of_image + n_of_text < n_nodes);
        assert!(image.len() + text.len() < whole.len() + 5_000);
    }

    #[test]
    fn a_graph_that_is_needed_whole_has_no_part() {
        let joint = data("layouts/chinese_clip/onnx/model.onnx");
        let cases = [
            (joint.clone(), "logits_per_image"),
            (joint.clone(), "no such output"),
            (joint, "pixel_values"),
            (data("clip/onnx/vision_model.onnx"), "image_embeds"),
            (data("clip/config.json"), "image_embeds"),
            (data("absent.onnx"), "image_embeds"),
        ];
        for (file, output) in &cases {
            assert!(
                leading_to(file, output).is_none(),
                "{output} of {}",
                file.display()
            );
        }
        assert_eq!(cases.len(), 6);
    }

    #[test]
    fn a_truncated_graph_gives_no_part_beyond_its_end() {
        let whole = fs_err::read(data("layouts/chinese_clip/onnx/model.onnx")).unwrap();
        let mut n_cases = 0;
        for n in (0..whole.len()).step_by(1009) {
            if let Ok(Some(rope)) = cut(&whole[..n], "text_embeds") {
                assert!(rope.len <= n as u64, "{n}");
            }
            n_cases += 1;
        }
        assert!(n_cases > 50, "{n_cases}");
    }
}
