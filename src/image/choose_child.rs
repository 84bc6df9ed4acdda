//! Selects the image of an index that a machine runs, by containerd's rules.

use super::{ChildManifest, Platform};

/// The entry of `images` that a machine of `platform` runs: the one for its own platform, else the one for the highest
/// variant that it can run; the first of equal ones.
///
/// If none matches, the only image of its architecture, whatever the variant; or the only image, if no document states
/// its platform.
#[must_use]
pub fn choose_child<'a>(images: &'a [ChildManifest], platform: &Platform) -> Option<&'a ChildManifest> {
    let distance = |image: &&ChildManifest| image.platform.as_ref()?.distance_from(platform);
    let fitting = images.iter().filter_map(|image| Some((distance(&image)?, image)));
    if let Some((_, image)) = fitting.min_by_key(|(distance, _)| *distance) {
        return Some(image);
    }
    let is_alike =
        |image: &&ChildManifest| image.platform.as_ref().is_some_and(|own| own.has_architecture_of(platform));
    let mut alike = images.iter().filter(is_alike);
    match (alike.next(), alike.next(), images) {
        (Some(only), None, _) => Some(only),
        (None, _, [only]) if platform.is_unknown() || only.platform.is_none() => Some(only),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Digest;

    /// The platform that is chosen of those that `stated` lists, `-` for an entry that states none.
    fn chosen(stated: &[&str], machine: &str) -> Option<usize> {
        let image = |text: &&str| ChildManifest::new(Digest::sha256(text.as_bytes()), text.parse().ok());
        let images: Vec<_> = stated.iter().map(image).collect();
        let chosen = choose_child(&images, &machine.parse().expect(machine))?;
        images.iter().position(|image| image == chosen)
    }

    #[test]
    fn the_entry_that_the_machine_runs_is_selected() {
        for (stated, machine, expected) in [
            (&["linux/arm64", "linux/amd64"][..], "linux/amd64", Some(1)),
            (&["linux/arm64/v8", "linux/amd64"], "linux/arm64", Some(0)),
            (&["linux/amd64"], "linux/amd64/v3", Some(0)),
            (&["linux/amd64", "linux/amd64/v2", "linux/amd64/v4"], "linux/amd64/v3", Some(1)),
            (&["linux/amd64/v3", "linux/amd64"], "linux/amd64", Some(1)),
            (&["linux/arm/v6", "linux/arm/v7"], "linux/arm", Some(1)),
            (&["linux/arm/v6", "linux/arm/v5"], "linux/arm/v7", Some(0)),
            (&["windows/amd64", "windows/amd64"], "windows/amd64", Some(0)),
            // Nothing matches, and there is only one image of the architecture.
            (&["linux/amd64/v2", "linux/arm64"], "linux/amd64", Some(0)),
            (&["linux/amd64/v2", "linux/amd64/v3"], "linux/amd64", None),
            (&["linux/arm64"], "linux/amd64", None),
            (&["-"], "linux/amd64", Some(0)),
            (&["-", "-"], "linux/amd64", None),
            (&["-", "linux/amd64"], "linux/amd64", Some(1)),
            (&["linux/arm64"], "unknown/unknown", Some(0)),
            (&["linux/arm64", "linux/amd64"], "unknown/unknown", None),
            (&[], "linux/amd64", None),
        ] {
            assert_eq!(chosen(stated, machine), expected, "{stated:?} on {machine}");
        }
    }
}
