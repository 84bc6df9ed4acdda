output "function_name" {
  description = "The function, as aws lambda invoke and metrics name it"
  value       = aws_lambda_function.this.function_name
}

output "role_arn" {
  description = "Whom the trust policies of the roles in other accounts let in"
  value       = aws_iam_role.function.arn
}

output "bucket_name" {
  description = "Where basewatch.toml belongs, and where the store is"
  value       = module.foundation.bucket_name
}

output "alert_topic_arn" {
  description = "What [[notify.sns]] of the configuration names"
  value       = module.foundation.alert_topic_arn
}

output "ops_topic_arn" {
  description = "Where alarms about basewatch itself go"
  value       = module.foundation.ops_topic_arn
}

output "dead_letters_url" {
  description = "Where the events are that were given up"
  value       = aws_sqs_queue.dead_letters.url
}

output "log_group_name" {
  description = "Where the log is"
  value       = module.foundation.log_group.name
}
