output "load_balancer_dns_name" {
  description = "What the dashboard's name is an alias of"
  value       = aws_lb.this.dns_name
}

output "load_balancer_zone_id" {
  description = "The zone of that name, for an alias record in Route 53"
  value       = aws_lb.this.zone_id
}

output "cluster_arn" {
  description = "The cluster in which it runs"
  value       = module.task.cluster_arn
}

output "service_name" {
  description = "The service"
  value       = aws_ecs_service.this.name
}

output "role_arn" {
  description = "Whom the trust policies of the roles in other accounts let in"
  value       = module.task.task_role_arn
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

output "log_group_name" {
  description = "Where the log is"
  value       = module.foundation.log_group.name
}
