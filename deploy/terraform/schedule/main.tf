# What the modules `lambda` and `ecs-task` share: the schedule with its role, the dead-letter queue, and the alarms
# about runs that did not take place.

# Runs that could not be started; the module `lambda` adds events that could not be processed.
resource "aws_sqs_queue" "dead_letters" {
  name                      = "${var.name}-dead-letters"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = true
}

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["scheduler.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.account]
    }
  }
}

data "aws_iam_policy_document" "start" {
  source_policy_documents = [var.policy]

  statement {
    sid       = "DeadLetterQueue"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.dead_letters.arn]
  }
}

resource "aws_iam_role" "this" {
  name                 = "${var.name}-schedule"
  description          = "Allows the schedule of ${var.name} to start runs"
  assume_role_policy   = data.aws_iam_policy_document.trust.json
  permissions_boundary = var.permissions_boundary
}

resource "aws_iam_role_policy" "this" {
  name   = "start"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.start.json
}

resource "aws_scheduler_schedule" "this" {
  # checkov:skip=CKV_AWS_297:The input is an empty object
  name                         = var.name
  description                  = "Runs ${var.name}"
  schedule_expression          = var.schedule_expression
  schedule_expression_timezone = var.time_zone

  flexible_time_window {
    mode                      = "FLEXIBLE"
    maximum_window_in_minutes = var.flexible_minutes
  }

  target {
    arn      = var.target_arn
    role_arn = aws_iam_role.this.arn
    input    = var.fargate == null ? "{}" : null

    dynamic "ecs_parameters" {
      for_each = var.fargate[*]

      content {
        task_definition_arn = ecs_parameters.value.task_definition_arn
        task_count          = 1
        launch_type         = "FARGATE"
        group               = ecs_parameters.value.group

        network_configuration {
          subnets          = ecs_parameters.value.subnet_ids
          security_groups  = [ecs_parameters.value.security_group_id]
          assign_public_ip = ecs_parameters.value.assign_public_ip
        }
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

# Also in alarm until the first run.
resource "aws_cloudwatch_metric_alarm" "missing_runs" {
  alarm_name          = "${var.name}-missing-runs"
  alarm_description   = "${var.missing_runs.description} ${var.hours_without_run} hours. ${var.guide}, Troubleshooting"
  namespace           = var.missing_runs.namespace
  metric_name         = var.missing_runs.metric_name
  dimensions          = var.missing_runs.dimensions
  statistic           = "Sum"
  period              = 3600
  evaluation_periods  = var.hours_without_run
  threshold           = 1
  comparison_operator = "LessThanThreshold"
  treat_missing_data  = "breaching"
  alarm_actions       = [var.ops_topic_arn]
  ok_actions          = [var.ops_topic_arn]
}

resource "aws_cloudwatch_metric_alarm" "given_up" {
  alarm_name          = "${var.name}-given-up"
  alarm_description   = "${var.given_up_description} ${var.guide}, Troubleshooting"
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = aws_sqs_queue.dead_letters.name }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.ops_topic_arn]
  ok_actions          = [var.ops_topic_arn]
}
