//! Secrets in moto's Secrets Manager.

use std::sync::Arc;

use aws_sdk_secretsmanager::{
    config::{BehaviorVersion, Credentials, Region},
    primitives::Blob,
};
use basewatch::{
    aws::Aws,
    http::RequestCounter,
    secret::{Secret, SecretSource},
};

use testbed::peers::{self, Peer};

const REGION: &str = "eu-central-1";

fn client(moto: &Peer) -> aws_sdk_secretsmanager::Client {
    let config = aws_sdk_secretsmanager::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .credentials_provider(Credentials::new("AKIDEXAMPLE", "not-a-secret", None, None, "test"))
        .endpoint_url(moto.http())
        .build();
    aws_sdk_secretsmanager::Client::from_conf(config)
}

#[tokio::test]
async fn a_secret_is_read_in_its_own_region_whole_or_by_key_and_once() {
    let moto = peers::moto();
    let client = client(&moto);
    let create =
        |name: &'static str, value: &'static str| client.create_secret().name(name).secret_string(value).send();
    let plain = create("hook", "hunter2").await.expect("created").arn.expect("an ARN");
    let keyed = create("both", r#"{"hook":"hunter3","number":7}"#).await.expect("created").arn.expect("an ARN");
    let of_file = create("of-a-file", "hunter4\r\n").await.expect("created").arn.expect("an ARN");
    let empty = create("empty", "\n").await.expect("created").arn.expect("an ARN");
    let binary = client.create_secret().name("binary").secret_binary(Blob::new(*b"hunter5")).send();
    let binary = binary.await.expect("created").arn.expect("an ARN");
    let requests = Arc::new(RequestCounter::default());
    let aws = Aws::new(Arc::clone(&requests))
        .with_access_key("AKIDEXAMPLE", &Secret::new("not-a-secret".to_owned()))
        .with_endpoint(moto.http());
    let read = async |text: String| {
        let (arn, key) = text.split_once('#').map_or((text.as_str(), None), |(arn, key)| (arn, Some(key.to_owned())));
        aws.secret(&SecretSource::SecretsManager { arn: arn.parse().expect("an ARN"), key }).await
    };

    for _ in 0..3 {
        assert_eq!(read(plain.clone()).await.expect("a secret").reveal(), "hunter2");
    }
    assert_eq!(read(format!("{keyed}#hook")).await.expect("a secret").reveal(), "hunter3");
    assert_eq!(requests.snapshot()["secretsmanager"]["api"], 2, "each once");

    assert_eq!(read(of_file).await.expect("a secret").reveal(), "hunter4");

    for (arn, expected) in [
        (empty, "it is empty"),
        (binary, "it is not text"),
        (format!("{keyed}#gone"), "it has no text under the key \"gone\""),
        (format!("{keyed}#number"), "it has no text under the key \"number\""),
        (format!("{plain}#hook"), "it is not JSON"),
        (format!("arn:aws:secretsmanager:{REGION}:123456789012:secret:gone-AbCdEf"), "ResourceNotFoundException"),
    ] {
        let failure = read(arn).await.expect_err("no secret");
        assert!(failure.message.contains(expected), "{failure}");
        assert!(!failure.message.contains("hunter"), "{failure}");
    }
}
