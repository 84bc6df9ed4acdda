//! `basewatch explain` of deployments of the inventory, by what the table shows of them.

#![expect(clippy::unwrap_used, reason = "in the helpers of tests a failure is a failed test")]

use std::fs;

use basewatch::image::Digest;
use serde_json::Value;
use testbed::{
    aws::{Cloud, CloudContainer, CloudFunction, CloudImage, CloudServer, CloudService, CloudVersion, Tags},
    program::{Printed, Program},
    registry::{ImageSpec, Loopback, Stock},
};

const ACCOUNT: &str = "123456789012";
const REGION: &str = "eu-west-1";

/// Functions, a service and images in an account, and the program that audits them.
struct Account {
    cloud: CloudServer,
    stock: Stock,
    program: Program,
    _registry: Loopback,
}

impl Account {
    fn new(top: &str) -> Self {
        let stock = Stock::new();
        let registry = Loopback::start(stock.clone()).unwrap();
        let cloud = Cloud::new(ACCOUNT);
        cloud.account(ACCOUNT);
        let cloud = CloudServer::start(cloud).unwrap();
        let config = format!(
            "{top}\n[[inventory.lambda]]\nregions = [\"{REGION}\", \"us-east-1\"]\n\
             [[inventory.ecs]]\nregions = [\"{REGION}\"]\n\
             [[inventory.ecr]]\nregions = [\"{REGION}\"]\nrepositories = [\"shop/*\"]\n\
             [registry.\"{}\"]\nendpoint = \"{}\"\nauth = \"anonymous\"\n",
            host(),
            registry.endpoint()
        );
        let program = Program::with_config(&config).aws(cloud.endpoint());
        let account = Self { cloud, stock, program, _registry: registry };
        let (one, two) = (account.push("orders:1"), account.push("orders:2"));
        let orders = CloudFunction::new("orders", version("orders:2", &two)).publishing(version("orders:1", &one));
        account.cloud.cloud().function(ACCOUNT, REGION, orders.alias("live", 1));
        let cart = account.push("cart:1");
        account.cloud.cloud().function(ACCOUNT, REGION, CloudFunction::new("cart", version("cart:1", &cart)));
        let api = account.push("shop/api:421");
        account.cloud.cloud().cluster(ACCOUNT, REGION, "prod", Tags::new());
        let container = CloudContainer::new("app", &format!("{}/shop/api:421", host()), Some(&api));
        account.cloud.cloud().service(ACCOUNT, REGION, "prod", CloudService::new("api", "api:1", vec![container]));
        account
    }

    fn push(&self, name: &str) -> Digest {
        let (repository, tag) = name.split_once(':').unwrap();
        let spec = ImageSpec { layers: vec![b"os".to_vec(), name.as_bytes().to_vec()], ..ImageSpec::default() };
        let digest = self.stock.push_image(repository, &spec);
        self.stock.tag(repository, tag, &digest);
        let stored = CloudImage::from_stock(&self.stock, repository, digest.as_str()).unwrap();
        self.cloud.cloud().push(ACCOUNT, REGION, repository, stored.tagged(tag));
        digest
    }

    fn explain(&self, name: &str) -> Printed {
        self.program.run(&["explain", name, "-f", "json"])
    }

    /// The IDs of the deployments that the explanations are about.
    fn explained(&self, name: &str) -> Vec<String> {
        let printed = self.explain(name);
        assert_eq!(printed.code, 0, "{name}: {}", printed.errors);
        let explanations: Vec<Value> = serde_json::from_str(&printed.output).unwrap();
        let id = |explanation: &Value| {
            let id = explanation["finding"]["id"].as_str().unwrap().to_owned();
            assert_eq!(explanation["steps"][0]["title"], "deployment", "{id}");
            id
        };
        explanations.iter().map(id).collect()
    }
}

fn host() -> String {
    format!("{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com")
}

fn version(name: &str, digest: &Digest) -> CloudVersion {
    CloudVersion::image(&format!("{}/{name}", host()), digest)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_is_explained_by_every_name_that_the_table_shows() {
    let account = Account::new("");
    for (name, id) in [
        ("orders", "lambda:eu-west-1:123456789012:orders:$LATEST"),
        ("orders:live", "lambda:eu-west-1:123456789012:orders:live"),
        ("lambda:eu-west-1:123456789012:orders:live", "lambda:eu-west-1:123456789012:orders:live"),
        ("arn:aws:lambda:eu-west-1:123456789012:function:orders:live", "lambda:eu-west-1:123456789012:orders:live"),
        ("arn:aws:lambda:eu-west-1:123456789012:function:cart", "lambda:eu-west-1:123456789012:cart:$LATEST"),
        ("prod/api", "ecs:eu-west-1:123456789012:prod/api:app"),
        ("prod/api app", "ecs:eu-west-1:123456789012:prod/api:app"),
        ("arn:aws:ecs:eu-west-1:123456789012:service/prod/api", "ecs:eu-west-1:123456789012:prod/api:app"),
        ("shop/api:421", "ecr:eu-west-1:123456789012:shop/api:421"),
    ] {
        assert_eq!(account.explained(name), [id], "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_can_hold_the_deployment_is_read() {
    let account = Account::new("");
    let actions = |name: &str| {
        account.cloud.cloud().forget_calls();
        account.explain(name);
        account.cloud.cloud().calls().by_action()
    };
    let of_function = actions("arn:aws:lambda:eu-west-1:123456789012:function:cart");
    assert_eq!(of_function.get("lambda:ListFunctions"), Some(&1), "one region of two: {of_function:?}");
    assert_eq!(of_function.get("lambda:GetFunction"), Some(&1), "one function of two: {of_function:?}");
    assert!(of_function.keys().all(|action| !action.starts_with("ecs:")), "{of_function:?}");
    let of_service = actions("prod/api");
    assert!(of_service.keys().all(|action| !action.starts_with("lambda:")), "{of_service:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_of_several_or_of_no_deployments_is_an_error_that_says_what_to_write() {
    let account = Account::new("store = \"store\"");
    let several = account.explain("arn:aws:lambda:eu-west-1:123456789012:function:orders");
    assert_eq!((several.code, several.output.as_str()), (2, ""));
    for line in ["is the name of 2 deployments; explain one of them:", "orders:$LATEST", "orders:live"] {
        assert!(several.errors.contains(line), "{}", several.errors);
    }
    let none = account.explain("ordes");
    let expected = "error: no deployment \"ordes\" in the ECR repositories of eu-west-1 and the ECS services of \
                    eu-west-1 and the Lambda functions of eu-west-1, us-east-1\n";
    assert_eq!((none.code, none.errors.as_str()), (2, expected));
    // With a report in the store, its names are suggested.
    let run = account.program.run(&["run", "-q"]);
    assert!([0, 3].contains(&run.code), "{}", run.errors);
    let suggested = account.explain("ordes");
    assert!(suggested.errors.ends_with("; did you mean orders?\n"), "{}", suggested.errors);
    let other = account.explain("arn:aws:s3:::bucket");
    assert!(other.errors.contains("is not the ARN of a Lambda function or of an ECS service"), "{}", other.errors);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_inventory_a_name_is_an_error_and_an_image_is_not() {
    let program = Program::with_config("");
    let printed = program.run(&["explain", "orders"]);
    assert_eq!(printed.code, 2);
    assert!(printed.errors.contains("no inventory is configured to look \"orders\" up in"), "{}", printed.errors);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_explanation_is_written_to_files() {
    let account = Account::new("");
    let printed = account.program.run(&["explain", "cart", "-o", "cart.json", "-o", "cart.txt"]);
    assert_eq!((printed.code, printed.output.as_str()), (0, ""), "{}", printed.errors);
    let read = |name: &str| fs::read_to_string(account.program.home().join(name)).unwrap();
    assert!(serde_json::from_str::<Value>(&read("cart.json")).unwrap()[0]["steps"].is_array());
    assert!(read("cart.txt").contains("runs 123456789012.dkr.ecr.eu-west-1.amazonaws.com/cart:1"));
    let refused = account.program.run(&["explain", "cart", "-o", "cart.csv"]);
    assert!(refused.code == 2 && refused.errors.contains("use .json, .txt or .table"), "{}", refused.errors);
}
