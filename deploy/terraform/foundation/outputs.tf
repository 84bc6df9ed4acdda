output "environment" {
  description = "The variables that lead basewatch to its configuration and its store"
  value = {
    BASEWATCH_CONFIG = "s3://${aws_s3_bucket.this.id}/basewatch.toml"
    BASEWATCH_STORE  = "s3://${aws_s3_bucket.this.id}/store"
  }
}

output "policies" {
  description = "The policies of the role that basewatch runs as, by name"
  value = {
    # A policy of a partition other than aws is that of aws, but for the ARNs.
    audit = replace(
      coalesce(var.audit_policy, file("${path.module}/audit-policy.json")), "arn:aws:", "arn:${local.partition}:"
    )
    remember-and-tell = data.aws_iam_policy_document.remember_and_tell.json
  }
}

output "bucket_name" {
  description = "Where basewatch.toml belongs, and where the store is"
  value       = aws_s3_bucket.this.id
}

output "key_arn" {
  description = "What all of it is encrypted with"
  value       = aws_kms_key.this.arn
}

output "alert_topic_arn" {
  description = "What [[notify.sns]] of the configuration names"
  value       = aws_sns_topic.alerts.arn
}

output "ops_topic_arn" {
  description = "Where alarms about basewatch itself go"
  value       = aws_sns_topic.ops.arn
}

output "log_group" {
  description = "Where the log is"
  value = {
    name = aws_cloudwatch_log_group.this.name
    arn  = aws_cloudwatch_log_group.this.arn
  }
}

output "account" {
  description = "The account of all this"
  value       = local.account
}

output "partition" {
  description = "The partition of all this"
  value       = local.partition
}

output "region" {
  description = "The region of all this"
  value       = local.region
}
