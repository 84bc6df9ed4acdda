//! Chain ids: one digest for a list of layers.

use super::Digest;

/// The chain ids of `layers`, lowest layer first: the n-th identifies the first n layers.
///
/// Two images share a prefix of n layers exactly if their n-th chain ids are equal. For `diff_ids` these are the chain
/// ids of the OCI image specification (config.md, "Layer `ChainID`"). For the layer digests of a manifest they are a
/// shortcut that needs no configuration; if they differ they prove nothing, because a layer can be compressed to many
/// digests.
pub fn chain_ids(layers: &[Digest]) -> impl Iterator<Item = Digest> + '_ {
    layers.iter().scan(None, |below: &mut Option<Digest>, layer| {
        let chain = match below {
            None => layer.clone(),
            Some(below) => Digest::sha256(format!("{} {}", below.as_str(), layer.as_str()).as_bytes()),
        };
        *below = Some(chain.clone());
        Some(chain)
    })
}

/// The chain id of all `layers`; `None` without layers.
#[must_use]
pub fn chain_id(layers: &[Digest]) -> Option<Digest> {
    chain_ids(layers).last()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `public.ecr.aws/lambda/python:3.12.2026.10.03.13-arm64`: its `diff_ids` and the chain ids that a container runtime
    /// names its snapshots by.
    const PYTHON: [(&str, &str); 6] = [
        (
            "1fc88f8949f8fef92056fe6339c9dcf45e5437eb9e92c2b655ed20b41561d99f",
            "1fc88f8949f8fef92056fe6339c9dcf45e5437eb9e92c2b655ed20b41561d99f",
        ),
        (
            "3f3d8716ca371d036f7a489d6a01de14d5a57c5032c63d2e3d49db25167f912c",
            "f7e17d5b93ff0ac0b62cdc2f8a8b7a04ce25a2578c4284bd1707e84350c1b0c0",
        ),
        (
            "4c8fcc203f804c590a708bac856fd9b4bbfa7dcfae0fd60ab37916233da10116",
            "308fb5ea3fee15c4c368023f43c62c76dc4b6c75d6544e976b91da42331226d9",
        ),
        (
            "17ed8ad53518b06df2fdf7eba92ed9b2f943a47e09e03d4aa9f0d4e5be1a2c07",
            "b81ca4eb3f2c63da54accdaeab7b40a8aef97da38f9c1be93479132282c18826",
        ),
        (
            "b28a8938ee9d0be17747ea3e56f60ee0a6227df61fa2b911a297886f95cbb25f",
            "ae0f7599b3449e43a65a6908f23c92884253f330077be4195b37958fb09b5c73",
        ),
        (
            "e731fef2c26e40a01a6daad7c2875335fcef29d19858512871c8efb2d8212bc1",
            "f1c50e860166fe6c6449bb0df8d3a4da5ae18f9947397cfb582023a40f44bd67",
        ),
    ];

    fn digest(hex: &str) -> Digest {
        format!("sha256:{hex}").parse().expect("a digest")
    }

    #[test]
    fn each_prefix_of_a_real_base_has_its_own_chain_id() {
        let layers = PYTHON.map(|(layer, _)| digest(layer));
        assert_eq!(chain_ids(&layers).collect::<Vec<_>>(), PYTHON.map(|(_, chain)| digest(chain)));
        assert_eq!(chain_id(&layers), Some(digest(PYTHON[5].1)));
        assert_eq!(chain_id(&[]), None);
    }
}
