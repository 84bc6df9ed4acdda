//! One account of the emulated AWS in one region: its registry, functions, services and tasks.

use aws_sdk_ecr::{
    error::ProvideErrorMetadata as _,
    types::{ImageIdentifier, Tag},
};
use aws_sdk_ecs::types::{ContainerDefinition, LaunchType};
use aws_sdk_lambda::types::{AliasRoutingConfiguration, Architecture, FunctionCode, ImageConfig, PackageType, Runtime};
use aws_sdk_sts::config::{BehaviorVersion, Credentials, Region};
use serde_json::{Value, json};

use testbed::{
    peers::{Access, Peer, Registry},
    seed::{Image, Target},
};

/// The default region.
pub const REGION: &str = "us-east-1";
/// The role that AWS Organizations creates in each account; the tests use it to create resources.
const ADMINISTRATOR: &str = "OrganizationAccountAccessRole";

/// An account, in one region.
pub struct Account {
    /// Its number.
    pub id: String,
    /// The region.
    pub region: &'static str,
    /// The data plane of its private ECR.
    pub registry: Peer,
    api: String,
    ecr: aws_sdk_ecr::Client,
    ecs: aws_sdk_ecs::Client,
    lambda: aws_sdk_lambda::Client,
}

/// A function yet to be made.
#[derive(Clone, Debug)]
pub struct Function<'a> {
    /// Its name.
    pub name: &'a str,
    /// The image in full; none for a zip archive.
    pub image: Option<String>,
    /// Instead of the image's own.
    pub command: Option<&'a str>,
    /// Its resource tags.
    pub tags: &'a [(&'a str, &'a str)],
}

impl<'a> Function<'a> {
    /// A function on `image`.
    pub fn new(name: &'a str, image: String) -> Self {
        Self { name, image: Some(image), command: None, tags: &[] }
    }
}

/// The configuration of an SDK client with `credentials`.
pub fn sdk(api: &str, region: &'static str, credentials: Credentials) -> aws_config::SdkConfig {
    aws_config::SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region))
        .endpoint_url(api)
        .credentials_provider(aws_sdk_sts::config::SharedCredentialsProvider::new(credentials))
        .build()
}

/// The account of the environment's access key.
pub fn owner() -> Credentials {
    Credentials::new("AKIDEXAMPLE", "not-a-secret", None, None, "tests")
}

/// The STS endpoint for the access key of the environment.
pub fn sts(moto: &Peer) -> aws_sdk_sts::Client {
    aws_sdk_sts::Client::new(&sdk(&moto.http(), REGION, owner()))
}

/// Makes an organization with the account of the environment's access key as its managing one, and these in
/// it. Returns the numbers of these.
pub async fn organization(moto: &Peer, names: &[&str]) -> Vec<String> {
    let client = aws_sdk_organizations::Client::new(&sdk(&moto.http(), REGION, owner()));
    client.create_organization().send().await.expect("an organization made");
    let mut ids = Vec::new();
    for name in names {
        let request = client.create_account().account_name(*name).email(format!("{name}@example.com"));
        let made = request.send().await.expect("an account made").create_account_status.expect("its state");
        ids.push(made.account_id.expect("its number"));
    }
    ids
}

/// The administrator of the account `id`.
async fn administrator(moto: &Peer, id: &str) -> Credentials {
    let sts = sts(moto);
    let role = format!("arn:aws:iam::{id}:role/{ADMINISTRATOR}");
    let assumed = sts.assume_role().role_arn(role).role_session_name("tests").send().await.expect("a role assumed");
    let key = assumed.credentials.expect("credentials");
    Credentials::new(key.access_key_id, key.secret_access_key, Some(key.session_token), None, "tests")
}

impl Account {
    /// The account `id` of the AWS at `moto`, with a registry of its own.
    pub async fn join(moto: &Peer, id: &str) -> Self {
        Self::of(moto, id, REGION, administrator(moto, id).await)
    }

    /// The account of `credentials`, whose number is `id`, in `region`.
    pub fn of(moto: &Peer, id: &str, region: &'static str, credentials: Credentials) -> Self {
        let password = password(id);
        let config = sdk(&moto.http(), region, credentials);
        Self {
            id: id.to_owned(),
            region,
            registry: Registry { access: Access::Basic("AWS", &password), ..Registry::default() }.start(),
            api: moto.http(),
            ecr: aws_sdk_ecr::Client::new(&config),
            ecs: aws_sdk_ecs::Client::new(&config),
            lambda: aws_sdk_lambda::Client::new(&config),
        }
    }

    /// Its registry as references name it.
    pub fn host(&self) -> String {
        format!("{}.dkr.ecr.{}.amazonaws.com", self.id, self.region)
    }

    /// An image in its registry: `repository:tag` or `repository@digest` in full.
    pub fn image(&self, name: &str) -> String {
        format!("{}/{name}", self.host())
    }

    /// Where pushes of private images go.
    pub fn target(&self) -> Target {
        Target::with_login(self.registry.http(), "AWS", &password(&self.id))
    }

    /// The table of its registry, for a configuration.
    pub fn table(&self) -> String {
        format!("[registry.\"{}\"]\nendpoint = \"{}\"\n", self.host(), self.registry.http())
    }

    /// Pushes `image` to `repository`, which is made where it is missing, and registers it with the ECR API.
    pub async fn push(&self, repository: &str, tag: &str, image: &Image) {
        self.create(repository, &[]).await;
        image.push(&self.target(), repository, Some(tag)).await;
        self.register(repository, Some(tag), image).await;
    }

    /// Makes a repository, if there is none of this name.
    pub async fn create(&self, repository: &str, tags: &[(&str, &str)]) {
        let tag = |(key, value): &(&str, &str)| Tag::builder().key(*key).value(*value).build().expect("a tag");
        let request = self.ecr.create_repository().repository_name(repository);
        match request.set_tags(Some(tags.iter().map(tag).collect())).send().await {
            Ok(_) => {}
            Err(error) => assert_eq!(error.code(), Some("RepositoryAlreadyExistsException"), "{error:?}"),
        }
    }

    async fn register(&self, repository: &str, tag: Option<&str>, image: &Image) {
        for child in &image.children {
            Box::pin(self.register(repository, None, child)).await;
        }
        self.ecr
            .put_image()
            .repository_name(repository)
            .set_image_tag(tag.map(str::to_owned))
            .image_manifest(String::from_utf8(image.manifest.clone()).expect("a manifest in UTF-8"))
            .image_manifest_media_type(image.media_type)
            .image_digest(&image.digest)
            .send()
            .await
            .expect("an image registered");
    }

    /// Deletes `image` from `repository`.
    pub async fn delete(&self, repository: &str, image: &Image) {
        let id = ImageIdentifier::builder().image_digest(&image.digest).build();
        let request = self.ecr.batch_delete_image().repository_name(repository).image_ids(id);
        let response = request.send().await.expect("an image deleted");
        assert_eq!(response.failures(), [], "an image deleted");
    }

    /// Deletes `repository`, whatever it holds.
    pub async fn delete_repository(&self, repository: &str) {
        let request = self.ecr.delete_repository().repository_name(repository).force(true);
        request.send().await.expect("a repository deleted");
    }

    /// Archives `image` of `repository`.
    pub async fn archive(&self, repository: &str, image: &Image) {
        let id = ImageIdentifier::builder().image_digest(&image.digest).build();
        let request = self.ecr.update_image_storage_class().repository_name(repository).image_id(id);
        request.target_storage_class("ARCHIVE".into()).send().await.expect("an image archived");
    }

    /// Makes `prefix` in its registry a pull-through cache of `upstream`.
    pub async fn cache(&self, prefix: &str, upstream: &str) {
        let request = self.ecr.create_pull_through_cache_rule().ecr_repository_prefix(prefix);
        request.upstream_registry_url(upstream).send().await.expect("a rule made");
    }

    /// Creates a role that requires `external_id`, if given.
    ///
    /// The SDK has a crate for IAM that nothing else here needs.
    pub async fn role(&self, name: &str, external_id: Option<&str>) {
        let condition = match external_id {
            Some(external_id) => json!({ "StringEquals": { "sts:ExternalId": external_id } }),
            None => json!({}),
        };
        let statement = json!({ "Effect": "Allow", "Action": "sts:AssumeRole", "Condition": condition });
        let trust = json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string();
        let query = [("Action", "CreateRole"), ("Version", "2010-05-08"), ("RoleName", name)];
        let scope = format!("AKIDEXAMPLE/20261120/{REGION}/iam/aws4_request");
        let response = reqwest::Client::new()
            .post(&self.api)
            .query(&query)
            .query(&[("AssumeRolePolicyDocument", &trust)])
            .header("Authorization", format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"))
            .header("x-moto-account-id", &self.id)
            .send()
            .await
            .expect("a response of IAM");
        let status = response.status();
        assert!(status.is_success(), "{status}: {}", response.text().await.expect("why"));
    }

    /// Makes the role that functions of this account have.
    pub async fn prepare_functions(&self) {
        self.role("function", None).await;
    }

    /// Makes a function.
    pub async fn function(&self, function: &Function<'_>) {
        let request = self.lambda.create_function().function_name(function.name).memory_size(512);
        let request = request.role(format!("arn:aws:iam::{}:role/function", self.id));
        let tags = function.tags.iter().map(|&(key, value)| (key.to_owned(), value.to_owned()));
        let request = request.architectures(Architecture::X8664).set_tags(Some(tags.collect()));
        let code = FunctionCode::builder();
        let request = if let Some(image) = &function.image {
            request.package_type(PackageType::Image).code(code.image_uri(image).build())
        } else {
            let archive = code.zip_file(aws_sdk_lambda::primitives::Blob::new(EMPTY_ZIP)).build();
            request.package_type(PackageType::Zip).runtime(Runtime::Python313).handler("main.main").code(archive)
        };
        let config = function.command.map(|command| ImageConfig::builder().command(command).build());
        request.set_image_config(config).send().await.expect("a function made");
    }

    /// Deploys `image` to a function.
    pub async fn update(&self, function: &str, image: &str) {
        let request = self.lambda.update_function_code().function_name(function).image_uri(image);
        request.send().await.expect("a function updated");
    }

    /// Publishes a version of a function and returns its number.
    pub async fn publish(&self, function: &str) -> String {
        let published = self.lambda.publish_version().function_name(function).send().await;
        published.expect("a version published").version.expect("a number")
    }

    /// Points an alias of a function at `version`, and at another with a part of its traffic.
    pub async fn alias(&self, function: &str, alias: &str, version: &str, other: Option<(&str, f64)>) {
        let routing = other.map(|(version, weight)| {
            AliasRoutingConfiguration::builder().additional_version_weights(version, weight).build()
        });
        let request = self.lambda.create_alias().function_name(function).name(alias).function_version(version);
        request.set_routing_config(routing).send().await.expect("an alias made");
    }

    /// Puts a function into this state, as if time had passed: `{"State": "Inactive", …}`.
    pub async fn bring_into(&self, function: &str, state: Value) {
        let event = json!({ "account": self.id, "region": self.region, "function": function, "state": state });
        let request = reqwest::Client::new().post(format!("{}/set/function-state", self.api));
        let response = request.body(event.to_string()).send().await.expect("a response");
        assert!(response.status().is_success(), "{}", response.status());
    }

    /// Makes a cluster.
    pub async fn cluster(&self, name: &str) {
        self.ecs.create_cluster().cluster_name(name).send().await.expect("a cluster made");
    }

    /// Registers the task definition of `family`: containers and their images.
    pub async fn define(&self, family: &str, containers: &[(&str, String)]) {
        let containers = containers
            .iter()
            .map(|(name, image)| ContainerDefinition::builder().name(*name).image(image).memory(512).build());
        let request = self.ecs.register_task_definition().family(family);
        request.set_container_definitions(Some(containers.collect())).send().await.expect("a task defined");
    }

    /// Runs a task of `family` that is in no service.
    pub async fn task(&self, cluster: &str, family: &str, tags: &[(&str, &str)]) {
        let request = self.ecs.run_task().cluster(cluster).task_definition(family).launch_type(LaunchType::Fargate);
        request.set_tags(Some(ecs_tags(tags))).send().await.expect("a task runs");
    }

    /// Makes a service that runs `count` tasks of `family`.
    pub async fn service(&self, cluster: &str, name: &str, family: &str, count: i32, tags: &[(&str, &str)]) {
        let request = self.ecs.create_service().cluster(cluster).service_name(name).task_definition(family);
        let request = request.launch_type(LaunchType::Fargate).desired_count(count).set_tags(Some(ecs_tags(tags)));
        request.send().await.expect("a service made");
    }

    /// Redeploys a service: its tags are resolved again.
    pub async fn deploy(&self, cluster: &str, name: &str) {
        let request = self.ecs.update_service().cluster(cluster).service(name).force_new_deployment(true);
        request.send().await.expect("a service deployed");
    }

    /// The client of ECS, for tests of the rig only.
    pub fn ecs(&self) -> &aws_sdk_ecs::Client {
        &self.ecs
    }

    /// The client of Lambda, for tests of the rig only.
    pub fn lambda(&self) -> &aws_sdk_lambda::Client {
        &self.lambda
    }

    /// The client of ECR, for tests of the rig only.
    pub fn ecr(&self) -> &aws_sdk_ecr::Client {
        &self.ecr
    }
}

fn ecs_tags(tags: &[(&str, &str)]) -> Vec<aws_sdk_ecs::types::Tag> {
    tags.iter().map(|(key, value)| aws_sdk_ecs::types::Tag::builder().key(*key).value(*value).build()).collect()
}

/// What `GetAuthorizationToken` hands out for the account `id`.
pub fn password(id: &str) -> String {
    format!("{id}-auth-token")
}

/// A zip archive without files.
const EMPTY_ZIP: &[u8] = b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
