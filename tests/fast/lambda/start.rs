//! Start of the function, and messages if it cannot start.

use crate::lambda::fleet::{Fleet, scheduled};
use testbed::{
    bare::{stderr, stdout},
    runtime_api::{Function, RuntimeApi, as_function},
};

#[tokio::test(flavor = "multi_thread")]
async fn the_default_command_in_the_lambda_runtime_is_lambda() {
    let fleet = Fleet::new();
    let host = fleet.registry.host();
    fleet.build("orders:1", true);
    fleet.configure(
        "store = \"store\"",
        &format!("[inventory]\nimages = [{{ references = [\"{host}/orders:1\"] }}]"),
        "",
    );
    for arguments in [vec![], vec!["lambda"], vec!["--quiet"]] {
        let api = RuntimeApi::start().await;
        let function = Function::start(fleet.command(&arguments), &api.address);
        let done = api.invoke(scheduled(), crate::lambda::fleet::LONG).await.response();
        assert_eq!(done["schema"], "basewatch.run/v1", "{arguments:?}");
        assert_eq!(function.log().is_empty(), arguments == ["--quiet"], "{}", function.log());
    }
    // Outside Lambda, there is no default command.
    let output = fleet.command(&[]).output().unwrap();
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(2), ""));
    assert!(stderr(&output).contains("Usage"), "{}", stderr(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn outside_of_lambda_the_missing_variables_are_listed() {
    let fleet = Fleet::new();
    fleet.configure("", "", "");
    let output = fleet.command(&["lambda"]).output().unwrap();
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(2), ""));
    assert!(stderr(&output).contains("AWS_LAMBDA_RUNTIME_API is not set"), "{}", stderr(&output));
    // Input for which the runtime's library would end the process.
    for (name, value, expected) in [
        ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9000/.rt", "HOST:PORT"),
        ("AWS_LAMBDA_RUNTIME_API", "/.rt", "HOST:PORT"),
        ("AWS_LAMBDA_RUNTIME_API", "not an address", "HOST:PORT"),
        ("AWS_LAMBDA_FUNCTION_NAME", "", "AWS_LAMBDA_FUNCTION_NAME is not set"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "much", "not a number"),
    ] {
        let mut command = fleet.command(&["lambda"]);
        let output = as_function(&mut command, "127.0.0.1:9").env(name, value).output().unwrap();
        assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(2), ""), "{name}");
        let said_it = stderr(&output);
        assert!(said_it.contains(expected) && !said_it.contains("panicked"), "{name}={value}: {said_it}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_configuration_is_an_init_error() {
    let fleet = Fleet::new();
    fleet.configure("policy = { max_age = \"soon\", graze = \"1d\" }", "", "");
    let mut running = fleet.start().await;
    let status = running.function.ended().await;
    assert_eq!(status.code(), Some(2));
    let [error] = running.api.init_errors().try_into().unwrap();
    let (kind, message) = error.error();
    assert_eq!(kind, "Basewatch.Configuration");
    for part in ["max_age", "graze", "basewatch.toml"] {
        assert!(message.contains(part) && running.function.log().contains(part), "{part}: {message}");
    }
    assert_eq!(running.function.metrics().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_runtime_ends_the_process_without_a_panic() {
    let fleet = Fleet::new();
    fleet.configure("", "", "");
    let mut command = fleet.command(&["lambda"]);
    let output = as_function(&mut command, "127.0.0.1:9").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("is no longer reachable") && !stderr(&output).contains("panicked"),
        "{}",
        stderr(&output)
    );
}
