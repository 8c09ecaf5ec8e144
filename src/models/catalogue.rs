//! The models that can be downloaded by a short name.
//!
//! A few that are known to be good, one for each purpose; any other repository of the hub is given
//! as `OWNER/REPO`. Licences are those of the weights as stated by their publishers; repositories
//! with exports made by others often state none. A model is downloaded only on the user's request,
//! together with its licence file if there is one.

/// A model of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CatalogueEntry {
    /// Its short name.
    pub name: &'static str,
    /// Its repository on the Hugging Face hub.
    pub repository: &'static str,
    /// What it is, and what for.
    pub about: &'static str,
    /// The licence of its weights.
    pub license: &'static str,
}

/// The models of the catalogue, the one to start with first.
pub const CATALOGUE: [CatalogueEntry; 7] = [
    CatalogueEntry {
        name: "clip-vit-b-32",
        repository: "Xenova/clip-vit-base-patch32",
        about: "OpenAI's CLIP ViT-B/32: fast, English",
        license: "MIT",
    },
    CatalogueEntry {
        name: "clip-vit-l-14",
        repository: "Xenova/clip-vit-large-patch14",
        about: "OpenAI's CLIP ViT-L/14: better and much slower, English",
        license: "MIT",
    },
    CatalogueEntry {
        name: "siglip-base",
        repository: "Xenova/siglip-base-patch16-224",
        about: "Google's SigLIP base, 224 pixels: better than CLIP at its size, English",
        license: "Apache-2.0",
    },
    CatalogueEntry {
        name: "siglip2-base",
        repository: "onnx-community/siglip2-base-patch16-224-ONNX",
        about: "Google's SigLIP 2 base, 224 pixels: better still, many languages, large text tower",
        license: "Apache-2.0",
    },
    CatalogueEntry {
        name: "mobileclip-s0",
        repository: "Xenova/mobileclip_s0",
        about: "Apple's MobileCLIP S0: the fastest, English",
        license: "Apple's own, see LICENSE_MODELS of apple/ml-mobileclip on GitHub",
    },
    CatalogueEntry {
        name: "mobileclip-s2",
        repository: "Xenova/mobileclip_s2",
        about: "Apple's MobileCLIP S2: fast and good, English",
        license: "Apple's own, see LICENSE_MODELS of apple/ml-mobileclip on GitHub",
    },
    CatalogueEntry {
        name: "multilingual-clip",
        repository: "immich-app/XLM-Roberta-Base-ViT-B-32__laion5b_s13b_b90k",
        about: "OpenCLIP's ViT-B/32 with XLM-RoBERTa: about a hundred languages",
        license: "MIT",
    },
];

/// The model of this short name, ignoring case.
#[must_use]
pub fn in_catalogue(name: &str) -> Option<&'static CatalogueEntry> {
    CATALOGUE
        .iter()
        .find(|entry| entry.name.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::hub::is_repository;
    use crate::models::registry::is_name;

    #[test]
    fn names_and_repositories_are_valid_and_unique() {
        let mut names = Vec::new();
        for entry in &CATALOGUE {
            assert!(is_name(entry.name), "{}", entry.name);
            assert!(is_repository(entry.repository), "{}", entry.repository);
            assert_eq!(in_catalogue(entry.name), Some(entry));
            names.push(entry.name);
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 7);
        assert_eq!(in_catalogue("starter"), None);
    }
}
