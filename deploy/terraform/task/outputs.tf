output "cluster_arn" {
  description = "ECS cluster of the task"
  value       = var.cluster_arn == null ? aws_ecs_cluster.this[0].arn : var.cluster_arn
}

output "task_definition_arn" {
  description = "ARN of the task definition, with revision"
  value       = aws_ecs_task_definition.this.arn
}

output "task_definition_family" {
  description = "ARN of the task definition, without revision"
  value       = aws_ecs_task_definition.this.arn_without_revision
}

output "security_group_id" {
  description = "Security group of the task"
  value       = aws_security_group.this.id
}

output "task_role_arn" {
  description = "Role of basewatch"
  value       = aws_iam_role.task.arn
}

output "execution_role_arn" {
  description = "Execution role, with which ECS starts the task"
  value       = aws_iam_role.execution.arn
}
