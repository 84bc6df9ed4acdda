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

data "aws_iam_policy_document" "schedule_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["scheduler.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [module.foundation.account]
    }
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

  statement {
    sid       = "DeadLetterQueue"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.dead_letters.arn]
  }
}

resource "aws_iam_role" "schedule" {
  name                 = "${var.name}-schedule"
  description          = "Allows the schedule of ${var.name} to run the task"
  assume_role_policy   = data.aws_iam_policy_document.schedule_trust.json
  permissions_boundary = var.permissions_boundary
}

resource "aws_iam_role_policy" "schedule" {
  name   = "run"
  role   = aws_iam_role.schedule.id
  policy = data.aws_iam_policy_document.schedule.json
}

# Runs that the schedule could not start.
resource "aws_sqs_queue" "dead_letters" {
  name                      = "${var.name}-dead-letters"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = true
}

resource "aws_scheduler_schedule" "this" {
  # checkov:skip=CKV_AWS_297:The input is an empty object
  name                         = var.name
  description                  = "Runs ${var.name}"
  schedule_expression          = var.schedule_expression
  schedule_expression_timezone = var.schedule_time_zone

  flexible_time_window {
    mode                      = "FLEXIBLE"
    maximum_window_in_minutes = var.schedule_flexible_minutes
  }

  target {
    arn      = module.task.cluster_arn
    role_arn = aws_iam_role.schedule.arn

    ecs_parameters {
      task_definition_arn = module.task.task_definition_arn
      task_count          = 1
      launch_type         = "FARGATE"
      # The rule below matches tasks of this group.
      group = var.name

      network_configuration {
        subnets          = var.subnet_ids
        security_groups  = [module.task.security_group_id]
        assign_public_ip = var.assign_public_ip
      }
    }

    dead_letter_config {
      arn = aws_sqs_queue.dead_letters.arn
    }

    retry_policy {
      maximum_retry_attempts       = 10
      maximum_event_age_in_seconds = 3600
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

# Every run writes to the log. Also in alarm until the first run.
resource "aws_cloudwatch_metric_alarm" "missing_runs" {
  alarm_name          = "${var.name}-missing-runs"
  alarm_description   = "basewatch has not run for ${var.hours_without_run} hours. docs/deploy/ecs-task.md, Troubleshooting"
  namespace           = "AWS/Logs"
  metric_name         = "IncomingLogEvents"
  dimensions          = { LogGroupName = module.foundation.log_group.name }
  statistic           = "Sum"
  period              = 3600
  evaluation_periods  = var.hours_without_run
  threshold           = 1
  comparison_operator = "LessThanThreshold"
  treat_missing_data  = "breaching"
  alarm_actions       = [module.foundation.ops_topic_arn]
  ok_actions          = [module.foundation.ops_topic_arn]
}

resource "aws_cloudwatch_metric_alarm" "given_up" {
  alarm_name          = "${var.name}-given-up"
  alarm_description   = "A run of basewatch could not be started; the reason is in the dead-letter queue. docs/deploy/ecs-task.md, Troubleshooting"
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = aws_sqs_queue.dead_letters.name }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [module.foundation.ops_topic_arn]
  ok_actions          = [module.foundation.ops_topic_arn]
}
