//! Builder comments: the base that buildah and podman write into the history of an image.

use basewatch::image::Digest;
use serde_json::{Value, json};

use crate::evidence::rig::{BASE, OCI_MANIFEST, Rig, conclusion};

/// Pushes an image with these layers and this history.
fn push(rig: &Rig, layers: &[&str], history: &[Value]) -> Digest {
    let layers: Vec<_> = layers.iter().map(|layer| Digest::sha256(layer.as_bytes())).collect();
    let config = json!({
        "os": "linux", "architecture": "arm64", "history": history,
        "rootfs": { "type": "layers", "diff_ids": layers },
    });
    let config = rig.stock.push_blob("orders", config.to_string().into_bytes());
    let layers: Vec<_> = layers.iter().map(|layer| json!({ "digest": layer, "size": 1 })).collect();
    let manifest =
        json!({ "schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": { "digest": config }, "layers": layers });
    rig.stock.push_raw("orders", OCI_MANIFEST, manifest.to_string().into_bytes())
}

const IMAGE: [&str; 4] = ["os", "emulator", "python", "app"];

#[tokio::test]
async fn a_base_in_a_comment_is_confirmed_if_its_layers_are_a_prefix() {
    let rig = Rig::new(false);
    let base = format!("{BASE}@{}", rig.base);
    let image = push(&rig, &IMAGE, &[json!({ "comment": format!("FROM {base}") })]);
    let found = rig.named(&image).await;
    assert_eq!(conclusion(&found), Some(("builder-comment", "confirmed", base)), "{:#?}", found.records);
}

#[tokio::test]
async fn a_base_in_a_comment_that_the_layers_disprove_is_rejected() {
    let rig = Rig::new(false);
    let base = format!("{BASE}@{}", rig.base);
    let image = push(&rig, &["os", "emulator", "node", "app"], &[json!({ "comment": format!("FROM {base}") })]);
    let found = rig.named(&image).await;
    assert_eq!((conclusion(&found), found.contradicted.len()), (None, 1));
}

#[tokio::test]
async fn a_line_in_a_comment_counts_like_a_label_unless_disproved() {
    let rig = Rig::new(false);
    let line = format!("{BASE}:3.12");
    let steps = [json!({ "comment": format!("FROM {line}") }), json!({ "comment": "FROM 20af36793e93" })];
    let found = rig.named(&push(&rig, &IMAGE, &steps)).await;
    assert_eq!(conclusion(&found), Some(("builder-comment", "unconfirmed", line)));
    assert_eq!(found.records.len(), 1, "images of build stages are not bases");
}

#[tokio::test]
async fn the_outer_of_two_bases_in_comments_comes_first() {
    let rig = Rig::new(false);
    let base = format!("{BASE}@{}", rig.base);
    let steps = [json!({ "comment": format!("FROM {base}") }), json!({ "comment": "FROM r.corp/base:7" })];
    let found = rig.named(&push(&rig, &["os", "emulator", "python", "company", "app"], &steps)).await;
    let values: Vec<_> = found.records.iter().map(|reading| reading.value.as_str()).collect();
    assert_eq!(values, ["r.corp/base:7", base.as_str()]);
    assert!(found.chain.iter().any(|link| link.base.reference().to_string() == base), "{:#?}", found.chain);
}
