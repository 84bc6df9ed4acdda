# basewatch as a scheduled ECS task on Fargate: `basewatch run`. Instructions: docs/deploy/ecs-task.md

module "foundation" {
  source = "../foundation"

  name               = var.name
  log_group_name     = "/ecs/${var.name}"
  log_retention_days = var.log_retention_days
  alert_emails       = var.alert_emails
  ops_emails         = var.ops_emails
  audit_policy       = var.audit_policy
  audit_role_name    = var.audit_role_name
  audit_account_ids  = var.audit_account_ids
  audit_organization = var.audit_organization
  secret_arns        = var.secret_arns
  force_destroy      = var.force_destroy
}

module "task" {
  source = "../task"

  name                 = var.name
  image_uri            = var.image_uri
  architecture         = var.architecture
  cpu                  = var.cpu
  memory               = var.memory
  command              = ["run"]
  environment          = module.foundation.environment
  policies             = module.foundation.policies
  permissions_boundary = var.permissions_boundary
  vpc_id               = var.vpc_id
  cluster_arn          = var.cluster_arn
  log_group            = module.foundation.log_group
  account              = module.foundation.account
  partition            = module.foundation.partition
  region               = module.foundation.region
}

# ---- Schedule -----------------------------------------------------------------------------------

module "schedule" {
  source = "../schedule"

  name                 = var.name
  account              = module.foundation.account
  permissions_boundary = var.permissions_boundary
  schedule_expression  = var.schedule_expression
  time_zone            = var.schedule_time_zone
  flexible_minutes     = var.schedule_flexible_minutes
  target_arn           = module.task.cluster_arn
  policy               = data.aws_iam_policy_document.schedule.json
  hours_without_run    = var.hours_without_run
  given_up_description = "A run of basewatch could not be started; the reason is in the dead-letter queue."
  guide                = "docs/deploy/ecs-task.md"
  ops_topic_arn        = module.foundation.ops_topic_arn

  fargate = {
    task_definition_arn = module.task.task_definition_arn
    # The rule below matches tasks of this group.
    group             = var.name
    subnet_ids        = var.subnet_ids
    security_group_id = module.task.security_group_id
    assign_public_ip  = var.assign_public_ip
  }

  # Every run writes to the log.
  missing_runs = {
    description = "basewatch has not run for"
    namespace   = "AWS/Logs"
    metric_name = "IncomingLogEvents"
    dimensions  = { LogGroupName = module.foundation.log_group.name }
  }
}

data "aws_iam_policy_document" "schedule" {
  statement {
    sid       = "RunTheTask"
    actions   = ["ecs:RunTask"]
    resources = ["${module.task.task_definition_family}:*"]

    condition {
      test     = "ArnEquals"
      variable = "ecs:cluster"
      values   = [module.task.cluster_arn]
    }
  }

  statement {
    sid       = "WithItsRoles"
    actions   = ["iam:PassRole"]
    resources = [module.task.task_role_arn, module.task.execution_role_arn]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["ecs-tasks.amazonaws.com"]
    }
  }
}

# ---- Alarms -------------------------------------------------------------------------------------

# Exit code 3: the audit is incomplete or most of the fleet is unknown. `[watch]` in the configuration alerts on that.
resource "aws_cloudwatch_event_rule" "failed_runs" {
  name        = "${var.name}-failed-runs"
  description = "Tasks of ${var.name} that failed or did not start"

  event_pattern = jsonencode({
    source      = ["aws.ecs"]
    detail-type = ["ECS Task State Change"]
    detail = {
      clusterArn = [module.task.cluster_arn]
      group      = [var.name]
      lastStatus = ["STOPPED"]
      "$or" = [
        { containers = { exitCode = [{ anything-but = [0, 3] }] } },
        { stopCode = ["TaskFailedToStart"] },
      ]
    }
  })
}

resource "aws_cloudwatch_event_target" "failed_runs" {
  rule = aws_cloudwatch_event_rule.failed_runs.name
  arn  = module.foundation.ops_topic_arn

  input_transformer {
    input_paths = {
      reason = "$.detail.stoppedReason"
      task   = "$.detail.taskArn"
    }

    input_template = "\"A run of basewatch failed: <reason>. Its log, in ${module.foundation.log_group.name}, says more: <task>. docs/deploy/ecs-task.md, Troubleshooting\""
  }
}
