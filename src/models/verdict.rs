//! Which precision of a model is used, chosen by the figures of a check.

use serde::{Deserialize, Serialize};
use sightline_onnx::Precision;

/// A smaller precision is used by default only if no embedding of the built-in pictures and texts
/// has a lower cosine to that of fp32 …
const MIN_COSINE: f64 = 0.99;

/// … and it encodes pictures at least this many times as fast; less is noise.
const MIN_SPEEDUP: f64 = 1.05;

/// What a check measured of one precision of a model on this machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Milliseconds per picture without preprocessing, in batches.
    pub ms_per_picture: f64,
    /// Milliseconds per text, one at a time.
    pub ms_per_text: f64,
    /// Comparison with fp32; `None` if this is fp32, or the model has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_fp32: Option<Agreement>,
}

/// Comparison of a smaller precision with fp32 over the built-in pictures and texts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Agreement {
    /// Mean cosine of the embeddings.
    pub mean_cosine: f64,
    /// Lowest cosine of the embeddings.
    pub worst_cosine: f64,
    /// Pictures per second divided by those of fp32, measured in turns.
    pub picture_speed: f64,
    /// Texts per second divided by those of fp32, measured in turns.
    pub text_speed: f64,
}

/// Which precision should be used, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The precision; `None` if none works.
    pub chosen: Option<Precision>,
    /// The reason, in words.
    pub reason: String,
}

impl Verdict {
    /// Chooses among the precisions that work, given the most exact one first.
    pub(super) fn choose(sound: &[(Precision, Option<Agreement>)]) -> Self {
        let Some(&(first, _)) = sound.first() else {
            return Self {
                chosen: None,
                reason: "none works".to_owned(),
            };
        };
        let because = |chosen, reason| Self {
            chosen: Some(chosen),
            reason,
        };
        if sound.len() == 1 {
            return because(first, "it is the only one".to_owned());
        }
        if first != Precision::Fp32 {
            return because(
                first,
                "there is no fp32 to compare the others with".to_owned(),
            );
        }
        let good = sound.iter().filter_map(|&(precision, agreement)| {
            let agreement = agreement?;
            let is_good =
                agreement.worst_cosine >= MIN_COSINE && agreement.picture_speed >= MIN_SPEEDUP;
            is_good.then_some((precision, agreement))
        });
        let fastest = good.max_by(|a, b| a.1.picture_speed.total_cmp(&b.1.picture_speed));
        if let Some((precision, agreement)) = fastest {
            let reason = format!(
                "no cosine to fp32 is below {:.4}, and it is {:.1} times as fast here",
                floor(agreement.worst_cosine),
                agreement.picture_speed
            );
            return because(precision, reason);
        }
        let faults: Vec<String> = sound
            .iter()
            .filter_map(|&(precision, agreement)| {
                let Agreement {
                    worst_cosine,
                    picture_speed,
                    ..
                } = agreement?;
                Some(if worst_cosine < MIN_COSINE {
                    let worst = floor(worst_cosine);
                    format!(
                        "with {precision} the lowest cosine to fp32 is {worst:.4}, below \
                         {MIN_COSINE}"
                    )
                } else {
                    format!("{precision} is not faster here ({picture_speed:.2} times fp32)")
                })
            })
            .collect();
        because(first, faults.join("; "))
    }
}

/// Rounded down to four decimals: 0.98999 must not be shown as 0.99.
fn floor(cosine: f64) -> f64 {
    (cosine * 1e4).floor() / 1e4
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agreement(worst_cosine: f64, picture_speed: f64) -> Agreement {
        Agreement {
            mean_cosine: 0.999,
            worst_cosine,
            picture_speed,
            text_speed: 1.0,
        }
    }

    #[test]
    fn a_smaller_precision_is_chosen_if_it_is_as_good_and_faster() {
        use Precision::{Fp16, Fp32, Int8};
        let choose = |fp16, int8| {
            let verdict = Verdict::choose(&[(Fp32, None), (Fp16, Some(fp16)), (Int8, Some(int8))]);
            verdict.chosen.unwrap()
        };
        let slow = agreement(0.9999, 0.9);
        assert_eq!(choose(slow, agreement(0.991, 2.0)), Int8);
        assert_eq!(choose(slow, agreement(0.99, 2.0)), Int8);
        assert_eq!(choose(slow, agreement(0.9899, 2.0)), Fp32);
        assert_eq!(choose(slow, agreement(0.999, 1.02)), Fp32);
        assert_eq!(choose(agreement(0.9999, 1.5), agreement(0.995, 1.3)), Fp16);
        assert_eq!(choose(agreement(0.9999, 1.5), agreement(0.995, 2.8)), Int8);
        assert_eq!(choose(agreement(0.9999, 1.5), agreement(0.9, 2.8)), Fp16);
    }

    #[test]
    fn the_reason_gives_the_figures() {
        use Precision::{Fp16, Fp32, Int8};
        let reason = |sound: &[_]| Verdict::choose(sound).reason;
        assert_eq!(reason(&[]), "none works");
        assert_eq!(reason(&[(Fp32, None)]), "it is the only one");
        assert_eq!(
            reason(&[(Fp32, None), (Int8, Some(agreement(0.993_19, 2.84)))]),
            "no cosine to fp32 is below 0.9931, and it is 2.8 times as fast here"
        );
        assert_eq!(
            reason(&[
                (Fp32, None),
                (Fp16, Some(agreement(1.0, 0.51))),
                (Int8, Some(agreement(0.989_99, 2.8)))
            ]),
            "fp16 is not faster here (0.51 times fp32); with int8 the lowest cosine to fp32 is \
             0.9899, below 0.99"
        );
        let without = Verdict::choose(&[(Fp16, None), (Int8, None)]);
        assert_eq!(without.chosen, Some(Fp16));
    }
}
