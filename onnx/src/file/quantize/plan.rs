//! Plans which nodes of a graph are replaced, and by what.
//!
//! A `MatMul` by a constant matrix, or a `Gemm`, becomes
//!
//! ```text
//! a, a_scale, a_zero = DynamicQuantizeLinear(A)        once for all nodes that multiply A
//! product            = MatMulInteger(a, b, a_zero)     b: the int8 matrix
//! result             = Cast(product) · (a_scale · b_scale)   (+ C)
//! ```
//!
//! which ONNX Runtime fuses into one kernel. `DynamicQuantizeLinear` quantises activations
//! asymmetrically to u8 per tensor; `MatMulInteger` subtracts its zero point. Operators:
//! <https://onnx.ai/onnx/operators/>.

use std::collections::{HashMap, HashSet};

use crate::file::graph::{
    Data, FLOAT, FLOAT16, Graph, ModelProto, Node, Tensor,
    field::{attribute, graph as graph_field, node as node_field, tensor},
};
use crate::file::wire::{Malformed, Message};

/// Chains of `Identity` and `Transpose` longer than this are not followed.
const MAX_STEPS: usize = 16;
const ATTRIBUTE_IS_INTEGER: i64 = 2;

/// A matrix that is stored as int8.
#[derive(Debug)]
pub(super) struct Weight<'a> {
    /// Name of the int8 matrix `[n_rows, n_columns]`.
    pub(super) name: String,
    /// Name of its scales `[n_columns]`.
    pub(super) scale_name: String,
    pub(super) source: &'a Tensor<'a>,
    pub(super) n_rows: usize,
    pub(super) n_columns: usize,
    /// Whether the source holds `[n_columns, n_rows]`.
    pub(super) transposed: bool,
    /// Factor on the products (`Gemm`).
    pub(super) alpha: f32,
}

#[derive(Debug)]
pub(super) enum NodePlan {
    Drop,
    /// The node fields to write instead.
    Replace(Message),
}

#[derive(Debug, Default)]
pub(super) struct Plan<'a> {
    pub(super) weights: Vec<Weight<'a>>,
    /// Small new initializers, complete.
    pub(super) scalars: Vec<Message>,
    /// By the start of the node's span.
    pub(super) nodes: HashMap<usize, NodePlan>,
    /// Starts of the spans of initializers and inputs that are no longer used.
    pub(super) dropped: HashSet<usize>,
    pub(super) n_quantized: usize,
    pub(super) n_kept: usize,
    /// Number of multiplications by an fp16 matrix.
    pub(super) n_half: usize,
    /// Whether the source already has integer multiplications.
    pub(super) was_quantized: bool,
}

pub(super) fn plan<'a>(model: &'a ModelProto<'a>) -> Result<Plan<'a>, Malformed> {
    let mut planner = Planner {
        plan: Plan::default(),
        names: HashSet::new(),
        uses: HashMap::new(),
        inputs_are_constants: model.ir_version < 4,
        activations: HashMap::new(),
        weights: HashMap::new(),
        touched: HashSet::new(),
    };
    planner.collect_names(&model.graph);
    planner.graph(&model.graph, None)?;
    while planner.drop_unused(&model.graph) {}
    Ok(planner.plan)
}

/// What a name refers to.
#[derive(Clone, Copy)]
enum Origin<'a> {
    Constant(&'a Tensor<'a>),
    Node(&'a Node<'a>),
    /// Given from outside, or may be.
    Input,
}

/// The names visible in a graph: its own, and those of the graphs around it.
struct Scope<'s, 'a> {
    names: HashMap<&'a str, Origin<'a>>,
    outer: Option<&'s Scope<'s, 'a>>,
}

impl<'a> Scope<'_, 'a> {
    fn find(&self, name: &str) -> Option<(&Self, Origin<'a>)> {
        let mut scope = self;
        loop {
            if let Some(origin) = scope.names.get(name) {
                return Some((scope, *origin));
            }
            scope = scope.outer?;
        }
    }
}

/// A constant matrix, and the nodes between it and its use.
struct ConstantMatrix<'a> {
    tensor: &'a Tensor<'a>,
    transposed: bool,
    /// Starts of the spans of those nodes.
    path: Vec<usize>,
}

type WeightKey = (usize, bool, u32);

struct Planner<'a> {
    plan: Plan<'a>,
    names: HashSet<String>,
    /// How often a name is read, in all graphs together. A name with several meanings is counted
    /// too often, which only keeps something that could be dropped.
    uses: HashMap<&'a str, usize>,
    inputs_are_constants: bool,
    /// Names of quantised value, scale and zero point, by graph and name.
    activations: HashMap<(usize, &'a str), [String; 3]>,
    weights: HashMap<WeightKey, usize>,
    /// Starts of the spans of nodes and initializers that led to a quantised matrix.
    touched: HashSet<usize>,
}

impl<'a> Planner<'a> {
    fn collect_names(&mut self, graph: &'a Graph<'a>) {
        for name in &graph.outputs {
            *self.uses.entry(name).or_default() += 1;
        }
        self.names
            .extend(graph.inputs.iter().map(|(name, _)| (*name).to_owned()));
        self.names
            .extend(graph.initializers.iter().map(|one| one.name.to_owned()));
        for node in &graph.nodes {
            for name in &node.inputs {
                *self.uses.entry(name).or_default() += 1;
            }
            let names = node.inputs.iter().chain(&node.outputs);
            self.names.extend(names.map(|name| (*name).to_owned()));
            self.plan.was_quantized |= matches!(
                node.op_type,
                "MatMulInteger"
                    | "QLinearMatMul"
                    | "DequantizeLinear"
                    | "DynamicQuantizeMatMul"
                    | "MatMulIntegerToFloat"
                    | "MatMulNBits"
            );
            for inner in node.graphs() {
                self.collect_names(inner);
            }
        }
    }

    fn graph(
        &mut self,
        graph: &'a Graph<'a>,
        outer: Option<&Scope<'_, 'a>>,
    ) -> Result<(), Malformed> {
        let mut names = HashMap::new();
        for node in &graph.nodes {
            names.extend(node.outputs.iter().map(|name| (*name, Origin::Node(node))));
        }
        let constants = graph.initializers.iter();
        names.extend(constants.map(|one| (one.name, Origin::Constant(one))));
        for (name, _) in &graph.inputs {
            let is_constant =
                self.inputs_are_constants && matches!(names.get(name), Some(Origin::Constant(_)));
            if !is_constant {
                names.insert(name, Origin::Input);
            }
        }
        let scope = Scope { names, outer };
        for node in &graph.nodes {
            if node.is("MatMul") || node.is("Gemm") {
                match self.multiplication(graph, node, &scope)? {
                    Some(message) => {
                        let replaced = NodePlan::Replace(message);
                        self.plan.nodes.insert(node.span.start, replaced);
                        self.plan.n_quantized += 1;
                    }
                    None => self.plan.n_kept += 1,
                }
            }
            for inner in node.graphs() {
                self.graph(inner, Some(&scope))?;
            }
        }
        Ok(())
    }

    /// The nodes that replace this one, if it multiplies by a constant matrix.
    fn multiplication(
        &mut self,
        graph: &'a Graph<'a>,
        node: &'a Node<'a>,
        scope: &Scope<'_, 'a>,
    ) -> Result<Option<Message>, Malformed> {
        let ([activation, matrix, rest @ ..], [output]) = (&node.inputs[..], &node.outputs[..])
        else {
            return Ok(None);
        };
        let (mut alpha, mut beta, mut flips) = (1.0, 1.0, false);
        if node.is("Gemm") {
            let flag = |name| node.attribute(name).and_then(|one| one.integer) == Some(1);
            let factor = |name| node.attribute(name).and_then(|one| one.float);
            if flag("transA") {
                return Ok(None);
            }
            flips = flag("transB");
            alpha = factor("alpha").unwrap_or(1.0);
            beta = factor("beta").unwrap_or(1.0);
        }
        let Some(found) = constant(matrix, scope) else {
            return Ok(None);
        };
        let [first, second] = found.tensor.dims[..] else {
            return Ok(None);
        };
        if found.tensor.data_type == FLOAT16 {
            self.plan.n_half += 1;
        }
        let transposed = found.transposed != flips;
        let (n_rows, n_columns) = if transposed {
            (second, first)
        } else {
            (first, second)
        };
        let sizes = (usize::try_from(n_rows), usize::try_from(n_columns));
        let (Ok(n_rows @ 1..), Ok(n_columns @ 1..)) = sizes else {
            return Ok(None);
        };
        if found.tensor.data_type != FLOAT || matches!(found.tensor.data, Data::Other) {
            return Ok(None);
        }
        let n_bytes = n_rows
            .checked_mul(n_columns)
            .and_then(|n| n.checked_mul(size_of::<f32>()))
            .ok_or(Malformed(found.tensor.span.start))?;
        if matches!(&found.tensor.data, Data::Raw(span) if span.len() != n_bytes) {
            return Err(Malformed(found.tensor.span.start));
        }
        self.touched.insert(found.tensor.span.start);
        self.touched.extend(&found.path);
        if let Some(count) = self.uses.get_mut(matrix) {
            *count -= 1;
        }
        let weight = self.weight(matrix, &found, n_rows, n_columns, transposed, alpha);
        let mut message = Message::default();
        let quantized = self.activation(graph, activation, &mut message);
        let added = rest.first().filter(|name| !name.is_empty());
        self.write_product(node, output, quantized, weight, &mut message, added, beta);
        Ok(Some(message))
    }

    /// The index of a matrix's int8 form, which several nodes may share.
    fn weight(
        &mut self,
        name: &str,
        found: &ConstantMatrix<'a>,
        n_rows: usize,
        n_columns: usize,
        transposed: bool,
        alpha: f32,
    ) -> usize {
        let key = (found.tensor.span.start, transposed, alpha.to_bits());
        if let Some(index) = self.weights.get(&key) {
            return *index;
        }
        let index = self.plan.weights.len();
        let weight = Weight {
            name: self.fresh(format!("{name}_quantized")),
            scale_name: self.fresh(format!("{name}_scale")),
            source: found.tensor,
            n_rows,
            n_columns,
            transposed,
            alpha,
        };
        self.plan.weights.push(weight);
        self.weights.insert(key, index);
        index
    }

    /// Names of the quantised activation, its scale and zero point. The node that computes them is
    /// written once per graph, before the first that needs them.
    fn activation(
        &mut self,
        graph: &Graph<'_>,
        name: &'a str,
        message: &mut Message,
    ) -> [String; 3] {
        let key = (graph.span.start, name);
        if let Some(names) = self.activations.get(&key) {
            return names.clone();
        }
        let names =
            ["quantized", "scale", "zero_point"].map(|part| self.fresh(format!("{name}_{part}")));
        let node = self.fresh(format!("{name}_QuantizeLinear"));
        let outputs = names.each_ref().map(String::as_str);
        push(message, "DynamicQuantizeLinear", &node, &[name], &outputs);
        self.activations.insert(key, names.clone());
        names
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one formula")]
    fn write_product(
        &mut self,
        node: &Node<'_>,
        output: &str,
        [quantized, scale, zero_point]: [String; 3],
        weight: usize,
        message: &mut Message,
        added: Option<&&str>,
        beta: f32,
    ) {
        let base = if node.name.is_empty() {
            output
        } else {
            node.name
        };
        let mut fresh = |part: &str| self.fresh(format!("{base}_{part}"));
        let product = fresh("product");
        let floats = fresh("product_cast");
        let scales = fresh("scales_mul");
        let sum_input = added.map_or_else(|| output.to_owned(), |_| fresh("scaled"));
        let beta_product = added.filter(|_| beta != 1.0).map(|_| fresh("beta_mul"));
        let name = fresh("quant");
        let beta_name = beta_product.as_ref().map(|_| fresh("beta"));
        let Weight {
            name: matrix,
            scale_name,
            ..
        } = &self.plan.weights[weight];
        let inputs = [&quantized, matrix, &zero_point].map(String::as_str);
        push(message, "MatMulInteger", &name, &inputs, &[&product]);
        let cast = Message::default()
            .text(attribute::NAME, "to")
            .integer(attribute::INTEGER, FLOAT)
            .integer(attribute::TYPE, ATTRIBUTE_IS_INTEGER);
        let cast = node_message("Cast", &floats, &[&product], &[&floats])
            .message(node_field::ATTRIBUTE, &cast);
        *message = std::mem::take(message).message(graph_field::NODE, &cast);
        push(message, "Mul", &scales, &[&scale, scale_name], &[&scales]);
        let name = format!("{name}_scaled");
        push(message, "Mul", &name, &[&floats, &scales], &[&sum_input]);
        let Some(mut added) = added.copied() else {
            return;
        };
        if let (Some(product), Some(beta_name)) = (&beta_product, &beta_name) {
            let scalar = Message::default()
                .integer(tensor::DATA_TYPE, FLOAT)
                .text(tensor::NAME, beta_name)
                .bytes(tensor::RAW_DATA, &beta.to_le_bytes());
            self.plan.scalars.push(scalar);
            push(message, "Mul", product, &[added, beta_name], &[product]);
            added = product;
        }
        let name = format!("{name}_added");
        push(message, "Add", &name, &[&sum_input, added], &[output]);
    }

    fn fresh(&mut self, mut name: String) -> String {
        while !self.names.insert(name.clone()) {
            name.push('_');
        }
        name
    }

    /// Drops what led to a quantised matrix and is no longer read. Returns whether a node was
    /// dropped, whose inputs may then be unused too.
    fn drop_unused(&mut self, graph: &'a Graph<'a>) -> bool {
        let mut again = false;
        for node in &graph.nodes {
            let start = node.span.start;
            let is_candidate =
                self.touched.contains(&start) && !self.plan.nodes.contains_key(&start);
            if is_candidate && node.outputs.iter().all(|name| self.is_unused(name)) {
                self.plan.nodes.insert(start, NodePlan::Drop);
                for name in &node.inputs {
                    if let Some(count) = self.uses.get_mut(name) {
                        *count -= 1;
                    }
                }
                again = true;
            }
            for inner in node.graphs() {
                again |= self.drop_unused(inner);
            }
        }
        for one in &graph.initializers {
            if self.touched.contains(&one.span.start) && self.is_unused(one.name) {
                self.plan.dropped.insert(one.span.start);
                let inputs = graph.inputs.iter().filter(|(name, _)| *name == one.name);
                self.plan.dropped.extend(inputs.map(|(_, span)| span.start));
            }
        }
        again
    }

    fn is_unused(&self, name: &str) -> bool {
        self.uses.get(name).is_none_or(|count| *count == 0)
    }
}

/// Follows a name through `Identity` and `Transpose` to the constant matrix that it refers to.
fn constant<'a>(name: &str, scope: &Scope<'_, 'a>) -> Option<ConstantMatrix<'a>> {
    let (mut scope, mut origin) = scope.find(name)?;
    let mut path = Vec::new();
    let mut transposed = false;
    for _ in 0..MAX_STEPS {
        let node = match origin {
            Origin::Constant(tensor) => {
                return Some(ConstantMatrix {
                    tensor,
                    transposed,
                    path,
                });
            }
            Origin::Node(node) => node,
            Origin::Input => return None,
        };
        path.push(node.span.start);
        if node.is("Constant") {
            let tensor = node.attribute("value")?.tensor.as_ref()?;
            return Some(ConstantMatrix {
                tensor,
                transposed,
                path,
            });
        } else if node.is("Transpose") {
            match node.attribute("perm").map(|perm| &perm.integers[..]) {
                None | Some([1, 0]) => transposed = !transposed,
                Some([0, 1]) => {}
                Some(_) => return None,
            }
        } else if !node.is("Identity") {
            return None;
        }
        (scope, origin) = scope.find(node.inputs.first()?)?;
    }
    None
}

fn node_message(op_type: &str, name: &str, inputs: &[&str], outputs: &[&str]) -> Message {
    let mut message = Message::default();
    for input in inputs {
        message = message.text(node_field::INPUT, input);
    }
    for output in outputs {
        message = message.text(node_field::OUTPUT, output);
    }
    message
        .text(node_field::NAME, name)
        .text(node_field::OP_TYPE, op_type)
}

fn push(message: &mut Message, op_type: &str, name: &str, inputs: &[&str], outputs: &[&str]) {
    let node = node_message(op_type, name, inputs, outputs);
    *message = std::mem::take(message).message(graph_field::NODE, &node);
}
