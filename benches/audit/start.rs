//! The time from the start of the process to its first AWS call, as a cold Lambda function and as a command.

use std::{
    process::Stdio,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use crate::measure::{median, row};
use testbed::{
    program::Program,
    toxic::{Reply, Toxic},
};

const TIMES: usize = 20;
const PATIENCE: Duration = Duration::from_secs(20);

/// Starts it, and measures the time until the first AWS call.
pub fn measure() {
    println!("start: from the start of the process to its first AWS call, {TIMES} times each");
    let size = std::fs::metadata(testbed::program_path()).map_or(0, |file| file.len());
    #[expect(clippy::cast_precision_loss, reason = "bytes of a program")]
    let megabytes = size as f64 / 1e6;
    row("size of the program", format!("{megabytes:.1} MB"));
    for (what, arguments) in [("as a Lambda function, configuration in S3", &[][..]), ("basewatch run", &["run"][..])] {
        let took: Vec<_> = (0..TIMES).map(|_| once(arguments)).collect();
        let (least, most) = (took.iter().min().copied(), took.iter().max().copied());
        row(what, format!("median {:.1?}, least {:.1?}, most {:.1?}", median(took), least.unwrap(), most.unwrap()));
    }
}

fn once(arguments: &[&str]) -> Duration {
    let aws = Toxic::start(|_| Reply::error(403, "AccessDenied", "not here"));
    let runtime = Toxic::start(|request| {
        if !request.path.ends_with("/invocation/next") {
            return Reply::new(202, "");
        }
        let in_a_minute = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + Duration::from_mins(1);
        Reply::json(&serde_json::json!({}))
            .header("lambda-runtime-aws-request-id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd")
            .header("lambda-runtime-deadline-ms", &in_a_minute.as_millis().to_string())
            .header("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:123456789012:function:basewatch")
    });
    let program = Program::with_config("[[inventory.lambda]]\nregions = [\"us-east-1\"]\n").aws(aws.endpoint());
    let mut command = program.command(arguments);
    command.env("BASEWATCH_STORE", "s3://acme-basewatch/store").stdout(Stdio::null()).stderr(Stdio::null());
    if arguments.is_empty() {
        command.env("BASEWATCH_CONFIG", "s3://acme-basewatch/basewatch.toml");
        command.env("AWS_LAMBDA_RUNTIME_API", runtime.host());
        for (name, value) in [("NAME", "basewatch"), ("MEMORY_SIZE", "512"), ("VERSION", "1")] {
            command.env(format!("AWS_LAMBDA_FUNCTION_{name}"), value);
        }
        command.env("AWS_LAMBDA_LOG_STREAM_NAME", "x").env("AWS_LAMBDA_LOG_GROUP_NAME", "x");
    }
    let begun = Instant::now();
    let mut child = command.spawn().unwrap();
    let asked_at = loop {
        if let Some(first) = aws.log().first() {
            break first.at;
        }
        assert!(begun.elapsed() < PATIENCE, "AWS is asked");
        std::thread::sleep(Duration::from_micros(200));
    };
    child.kill().unwrap();
    child.wait().unwrap();
    asked_at - begun
}
