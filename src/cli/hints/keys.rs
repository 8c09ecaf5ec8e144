//! Advice on the keys of `sightline.toml` and of a model's other files.

/// How to declare keys of a model's files harmless.
pub(super) fn ignoring<'a>(keys: impl Iterator<Item = &'a str>) -> String {
    let names = keys.map(|key| format!("{:?}", key.rsplit('.').next().unwrap_or(key)));
    format!(
        "only if this changes none of the model's vectors, put `ignore = [{}]` at the top of a \
         sightline.toml in the model folder",
        names.collect::<Vec<_>>().join(", ")
    )
}

/// Example values for keys of `sightline.toml`: `image.mean = [0.48, 0.46, 0.41]`
pub(super) fn examples(keys: &[String]) -> String {
    let value = |key: &str| match key {
        "dimension" => "512",
        "image.edge" => "224",
        "image.rescale" => "0.00392156862745098",
        "image.size" => "[224, 224]",
        "image.resize" => "\"shortest-edge\"",
        "image.interpolation" => "\"bicubic\"",
        "image.mean" => "[0.48, 0.46, 0.41]",
        "image.std" => "[0.27, 0.26, 0.28]",
        "image.input" => "\"pixel_values\"",
        "image.output" => "\"image_embeds\"",
        "image.file" => "\"vision_model.onnx\"",
        "text.file" => "\"text_model.onnx\"",
        "text.input_ids" => "\"input_ids\"",
        "text.output" => "\"text_embeds\"",
        "text.tokenizer" => "\"tokenizer.json\"",
        "text.context_length" => "77",
        "text.pad" => "\"context\"",
        "text.pad_side" => "\"right\"",
        "text.pad_token" | "text.start_token" | "text.end_token" => "\"…\"",
        "text.clean" => "\"lower\"",
        "text.lowercase" => "true",
        "text.pool" => "\"mean\"",
        "text.languages" => "[\"en\"]",
        "image.pool" => "\"cls\"",
        _ => "…",
    };
    let line = |key: &String| match key.strip_prefix("text.other") {
        None => format!("{key} = {}", value(key)),
        // Of the tower for `zh`, `[zh].pool`. A key of a list of tables cannot be dotted.
        Some(rest) => {
            let (place, key) = rest.split_once('.').unwrap_or(("", rest));
            let value = value(&format!("text.{key}"));
            let place = place.trim_matches(['[', ']']);
            let of = if place.is_empty() { "" } else { " for " };
            format!("{key} = {value} below the [[text.other]]{of}{place}")
        }
    };
    keys.iter().map(line).collect::<Vec<_>>().join(", ")
}
