output "environment" {
  description = "Environment variables for the configuration and the store"
  value = {
    BASEWATCH_CONFIG = "s3://${aws_s3_bucket.this.id}/basewatch.toml"
    BASEWATCH_STORE  = "s3://${aws_s3_bucket.this.id}/store"
  }
}

output "policies" {
  description = "Policies of basewatch's role, by name"
  value = {
    # Policies of other partitions differ only in the ARNs.
    audit = replace(
      coalesce(var.audit_policy, file("${path.module}/audit-policy.json")), "arn:aws:", "arn:${local.partition}:"
    )
    store-and-notify = data.aws_iam_policy_document.store_and_notify.json
  }
}

output "bucket_name" {
  description = "Bucket for basewatch.toml and the store"
  value       = aws_s3_bucket.this.id
}

output "key_arn" {
  description = "ARN of the key that encrypts all resources"
  value       = aws_kms_key.this.arn
}

output "alert_topic_arn" {
  description = "ARN of the alert topic, for [[notify.sns]] in the configuration"
  value       = aws_sns_topic.alerts.arn
}

output "ops_topic_arn" {
  description = "ARN of the topic for alarms about basewatch itself"
  value       = aws_sns_topic.ops.arn
}

output "log_group" {
  description = "Log group"
  value = {
    name = aws_cloudwatch_log_group.this.name
    arn  = aws_cloudwatch_log_group.this.arn
  }
}

output "account" {
  description = "Account of the resources"
  value       = local.account
}

output "partition" {
  description = "Partition of the resources"
  value       = local.partition
}

output "region" {
  description = "Region of the resources"
  value       = local.region
}
