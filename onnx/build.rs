//! Says whether the starter model's files are there. To be removed once they are.
use std::path::Path;

fn main() {
    println!("cargo::rustc-check-cfg=cfg(starter)");
    println!("cargo::rerun-if-changed=starter");
    let there = [
        "sightline.toml",
        "image.onnx",
        "text.onnx",
        "tokenizer.json",
    ]
    .iter()
    .all(|name| Path::new("starter").join(name).is_file());
    if there {
        println!("cargo::rustc-cfg=starter");
    }
}
