//! How much of a hub bias counts, chosen on Flickr8k's dev split (benches/RESULTS.md).

/// Share of a picture's hub bias that is subtracted from its similarity to a text.
pub(super) const SHARE_OF_PICTURE: f32 = 0.25;

/// Share of a caption's hub bias that is subtracted from its similarity to a picture.
pub(super) const SHARE_OF_CAPTION: f32 = 0.5;

/// Fewer pictures than this do not show which of them are hubs: among 73, the correction cost 2.7
/// points of R@1.
pub(super) const MIN_PICTURES: usize = 256;
