output "function_name" {
  description = "Function name, for aws lambda invoke and metrics"
  value       = aws_lambda_function.this.function_name
}

output "role_arn" {
  description = "ARN of basewatch's role, for the trust policies of the roles in other accounts"
  value       = aws_iam_role.function.arn
}

output "bucket_name" {
  description = "Bucket for basewatch.toml and the store"
  value       = module.foundation.bucket_name
}

output "alert_topic_arn" {
  description = "ARN of the alert topic, for [[notify.sns]] in the configuration"
  value       = module.foundation.alert_topic_arn
}

output "ops_topic_arn" {
  description = "ARN of the topic for alarms about basewatch itself"
  value       = module.foundation.ops_topic_arn
}

output "dead_letters_url" {
  description = "URL of the dead-letter queue"
  value       = module.schedule.dead_letters.url
}

output "log_group_name" {
  description = "Log group"
  value       = module.foundation.log_group.name
}
