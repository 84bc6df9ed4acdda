//! Images on a company base, which is built on a Lambda base itself, over several runs.

use std::{collections::BTreeMap, sync::Arc};

use basewatch::{
    audit::{AuditOptions, AuditSources, audit},
    identify::{self, BaseRule, BaseRules},
    image::{ImageFacts, ImageManifest, Reference},
    inventory::{
        DeployedImage, Deployment, DeploymentKind, ImageAvailability, ImageSource, Inventory, InventoryFilter,
        InventoryResult, OwnerSettings,
    },
    judge::{Action, Policy, Verdict},
    report::Finding,
};
use futures::{FutureExt, future::BoxFuture};
use serde_json::json;

use super::*;
use testbed::world::diff_id;

const COMPANY: &str = "registry.example.com/acme/base";
const NOW: &str = "2026-11-20T06:00:00Z";

struct StaticInventory(Vec<Deployment>);

impl Inventory for StaticInventory {
    fn deployments(&self) -> BoxFuture<'_, InventoryResult> {
        let found = InventoryResult { deployments: self.0.clone(), ..InventoryResult::default() };
        std::future::ready(found).boxed()
    }
}

/// An image of these layers, whose configuration shows a Lambda base, with this label.
fn deployment(name: &str, layers: &[&str], label: Option<&str>) -> Deployment {
    let platform = ("com.amazonaws.lambda.platform.kernel", "k510ga");
    let labels: BTreeMap<_, _> =
        [Some(platform), label.map(|label| ("sdkBaseVersion", label))].into_iter().flatten().collect();
    let config = json!({
        "architecture": "arm64", "os": "linux", "created": "2026-10-20T06:00:00Z", "config": { "Labels": labels },
        "rootfs": { "type": "layers", "diff_ids": layers.iter().map(|layer| diff_id(layer)).collect::<Vec<_>>() },
    });
    let config = config.to_string();
    let manifest = ImageManifest::new(Digest::sha256(config.as_bytes()), None);
    let repository = format!("registry.example.com/shop/{name}").parse().expect("valid");
    Deployment {
        id: name.to_owned(),
        kind: DeploymentKind::Ecr,
        name: name.to_owned(),
        qualifier: None,
        account: None,
        region: None,
        arn: None,
        owner: None,
        workload: None,
        reference: ImageSource::Reference(Reference::tagged(repository, "1")),
        pushed_at: Some(at("2026-10-20T06:10:00Z")),
        holding: ImageAvailability::Held,
        image: Ok(DeployedImage {
            digest: Digest::sha256(config.as_bytes()),
            facts: Arc::new(ImageFacts::read(manifest, config.as_bytes()).expect("reads")),
            descriptor_annotations: Arc::default(),
            index_annotations: Arc::default(),
            attestations: Arc::default(),
        }),
    }
}

async fn findings(registry: &Arc<World>, catalog: &Arc<Catalog>, deployments: Vec<Deployment>) -> Vec<Finding> {
    let tags = vec!["stable".to_owned()];
    let company = BaseRule { is_company: Some(true), tags, ..BaseRule::new(COMPANY.parse().expect("valid")) };
    let bases = BaseRules::new(vec![company]);
    let options = AuditOptions {
        policy: Policy::default(),
        identify: identify::IdentifySettings { bases: bases.clone(), ..identify::IdentifySettings::default() },
        resolve: ResolveSettings { bases, ..ResolveSettings::default() },
        owners: OwnerSettings::default(),
        filter: InventoryFilter::default(),
        is_part: false,
        concurrency: 8,
        now: at(NOW),
        seen_at: at(NOW),
    };
    let images = Arc::new(ImageReader::new(Arc::clone(registry) as _, Arc::clone(catalog)));
    let sources = AuditSources { inventories: vec![Box::new(StaticInventory(deployments))], aws_scope: None };
    let mut findings = audit(&sources, &images, &options, &|_| {}).await.judge(&options).0;
    findings.sort_by(|one, other| one.id.cmp(&other.id));
    findings
}

fn summary(finding: &Finding) -> (Verdict, Action, Vec<&str>, Vec<Option<bool>>) {
    let base = finding.base.as_ref().expect("a base");
    let releases = base.chain.iter().map(|link| link.base.release.as_deref().unwrap_or_default()).collect();
    (finding.verdict, finding.action, releases, base.chain.iter().map(|link| link.adopted).collect())
}

#[tokio::test]
async fn a_company_base_is_rebuilt_before_the_images_on_it() {
    let (registry, catalog): (Arc<World>, _) = (Arc::default(), Arc::new(Catalog::in_memory()));
    registry.publish(JAVA, "21", "2026-08-10T13:00:00Z", &["os", "jdk"]);
    registry.publish(JAVA, "21", "2026-10-01T13:00:00Z", &["os", "newer jdk"]);
    let old = registry.layered("company base", "arm64", &["os", "jdk", "agent"], "gzip");
    registry.tag(COMPANY, "stable", &old);
    let label = format!("{COMPANY}:stable@{old}");
    let fleet = || {
        vec![
            deployment("labelled", &["os", "jdk", "agent", "app"], Some(&label)),
            deployment("unlabelled", &["os", "jdk", "agent", "other app"], None),
        ]
    };
    let found = findings(&registry, &catalog, fleet()).await;
    let waits = (Verdict::Stale, Action::None, vec!["21.2026.08.10.13"], vec![Some(false)]);
    for finding in &found {
        assert_eq!(summary(finding), waits, "{finding:#?}");
        assert_eq!(finding.reasons[0].code, "waits-for-base");
        assert!(finding.awaited_base().is_some());
    }
    let by: Vec<_> =
        found.iter().map(|finding| finding.base.as_ref().expect("a base").identified_by.as_str()).collect();
    assert_eq!(by, ["label", "layers"], "the second one by what the first one made known");

    // The company base is built again, on the current release.
    let new = registry.layered("newer company base", "arm64", &["os", "newer jdk", "agent"], "gzip");
    registry.tag(COMPANY, "stable", &new);
    let found = findings(&registry, &catalog, fleet()).await;
    assert_eq!(summary(&found[0]), (Verdict::Stale, Action::Rebuild, vec!["21.2026.08.10.13"], vec![Some(true)]));
    assert!(found[0].awaited_base().is_none());

    // And so is the image.
    let label = format!("{COMPANY}:stable@{new}");
    let rebuilt = deployment("labelled", &["os", "newer jdk", "agent", "app"], Some(&label));
    let found = findings(&registry, &catalog, vec![rebuilt]).await;
    let (_, _, releases, adopted) = summary(&found[0]);
    assert_eq!((releases, adopted), (vec!["21.2026.10.01.13"], vec![Some(true)]));
    assert_eq!(found[0].action, Action::None, "{:?}", found[0].reasons);
}
