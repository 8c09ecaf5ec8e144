//! How is one tower cut out of a graph that holds both?
//!
//! ONNX Runtime runs a graph as a whole: asked for the embedding of a text, it would still want a
//! picture and push it through the other tower. So only the nodes that lead to the embedding, and
//! their weights, are handed to it.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use crate::file::graph::{self, Graph, Node, field};
use crate::file::mapped::Mapped;
use crate::file::wire::{Fields, Malformed, Piece, Rope};

/// The part of a graph that leads to one output, as a graph of its own, its weights with it except
/// those that lie in files beside it. `None` where the whole graph is needed, and for files that
/// are not understood: let ONNX Runtime say what is wrong with them.
pub(crate) fn leading_to(file: &Path, output: &str) -> Option<Vec<u8>> {
    let mapped = Mapped::open(file).ok()?;
    let bytes = mapped.bytes();
    let rope = cut(bytes, output).ok()??;
    let mut part = Vec::with_capacity(usize::try_from(rope.len).ok()?);
    for piece in rope.pieces {
        match piece {
            Piece::Copy(span) => part.extend_from_slice(&bytes[span]),
            Piece::Bytes(bytes) => part.extend_from_slice(&bytes),
            Piece::Later(never) => match never {},
        }
    }
    Some(part)
}

/// Nothing is made while the part is put together.
enum Never {}

fn cut(file: &[u8], output: &str) -> Result<Option<Rope<Never>>, Malformed> {
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
) -> Result<Rope<Never>, Malformed> {
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

/// What an output is made of.
struct Needed<'a> {
    /// By their place in the graph.
    nodes: HashSet<usize>,
    names: HashSet<&'a str>,
}

impl<'a> Needed<'a> {
    /// `None` when no node makes the output.
    fn of(graph: &'a Graph<'a>, output: &'a str) -> Option<Self> {
        let mut makers = HashMap::new();
        for (index, node) in graph.nodes.iter().enumerate() {
            for &name in node.outputs.iter().filter(|name| !name.is_empty()) {
                makers.insert(name, index);
            }
        }
        makers.get(output)?;
        let mut needed = Self {
            nodes: HashSet::new(),
            names: HashSet::new(),
        };
        let mut open = vec![output];
        while let Some(name) = open.pop() {
            if !needed.names.insert(name) {
                continue;
            }
            if let Some(&index) = makers.get(name)
                && needed.nodes.insert(index)
            {
                let node = &graph.nodes[index];
                // A node that is kept makes all that it makes.
                needed.names.extend(&node.outputs);
                used_by(node, &mut open);
            }
        }
        Some(needed)
    }
}

/// The names that a node takes, those included that graphs inside it may take from outside.
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
    fn a_part_holds_what_leads_to_its_output_and_no_more() {
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
        // What joins the towers is in neither.
        assert!(n_of_image > 0 && n_of_text > 0 && n_of_image + n_of_text < n_nodes);
        assert!(image.len() + text.len() < whole.len() + 5_000);
    }

    #[test]
    fn graphs_that_are_needed_whole_are_left() {
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
    fn what_is_cut_off_makes_no_part_that_reaches_outside() {
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
