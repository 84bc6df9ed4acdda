output "cluster_arn" {
  description = "The cluster in which it runs"
  value       = var.cluster_arn == null ? aws_ecs_cluster.this[0].arn : var.cluster_arn
}

output "task_definition_arn" {
  description = "What runs, with its revision"
  value       = aws_ecs_task_definition.this.arn
}

output "task_definition_family" {
  description = "What runs, in any revision: its ARN"
  value       = aws_ecs_task_definition.this.arn_without_revision
}

output "security_group_id" {
  description = "Whom the task may talk to"
  value       = aws_security_group.this.id
}

output "task_role_arn" {
  description = "The role that basewatch runs as"
  value       = aws_iam_role.task.arn
}

output "execution_role_arn" {
  description = "The role that ECS starts it as"
  value       = aws_iam_role.execution.arn
}
