output "load_balancer_dns_name" {
  description = "What the dashboard's name is an alias of"
  value       = aws_lb.this.dns_name
}

output "load_balancer_zone_id" {
  description = "The zone of that name, for an alias record in Route 53"
  value       = aws_lb.this.zone_id
}

output "cluster_arn" {
  description = "ECS cluster of the task"
  value       = module.task.cluster_arn
}

output "service_name" {
  description = "The service"
  value       = aws_ecs_service.this.name
}

output "role_arn" {
  description = "ARN of basewatch's role, for the trust policies of the roles in other accounts"
  value       = module.task.task_role_arn
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

output "log_group_name" {
  description = "Log group"
  value       = module.foundation.log_group.name
}
