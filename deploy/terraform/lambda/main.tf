# basewatch as a Lambda function on a schedule: what deploy/cloudformation/lambda.yaml makes, for Terraform.
# docs/deploy/lambda.md says how to use it.

module "foundation" {
  source = "../foundation"

  name               = var.name
  log_group_name     = "/aws/lambda/${var.name}"
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

# ---- What runs ----------------------------------------------------------------------------------

# Events that no invocation could deal with.
resource "aws_sqs_queue" "dead_letters" {
  name                      = "${var.name}-dead-letters"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = true
}

resource "aws_sqs_queue_policy" "dead_letters" {
  count     = var.watch_pushes ? 1 : 0
  queue_url = aws_sqs_queue.dead_letters.id
  policy    = data.aws_iam_policy_document.dead_letters[0].json
}

data "aws_iam_policy_document" "dead_letters" {
  count = var.watch_pushes ? 1 : 0

  statement {
    sid       = "FromTheRule"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.dead_letters.arn]

    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [aws_cloudwatch_event_rule.pushes[0].arn]
    }
  }
}

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "function" {
  name                 = var.name
  description          = "What ${var.name} may do"
  assume_role_policy   = data.aws_iam_policy_document.trust.json
  permissions_boundary = var.permissions_boundary
}

resource "aws_iam_role_policy" "function" {
  for_each = merge(module.foundation.policies, { function = data.aws_iam_policy_document.function.json })

  name   = each.key
  role   = aws_iam_role.function.id
  policy = each.value
}

# What being a function takes.
data "aws_iam_policy_document" "function" {
  statement {
    sid       = "WriteLogs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${module.foundation.log_group.arn}:*"]
  }

  statement {
    sid       = "LeaveDeadLetters"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.dead_letters.arn]
  }
}

resource "aws_lambda_function" "this" {
  # checkov:skip=CKV_AWS_50:basewatch writes no traces; what it took is in its metrics
  # checkov:skip=CKV_AWS_117:It talks to APIs of AWS and registries only, which are outside of any VPC
  # checkov:skip=CKV_AWS_272:Only archives are signed; an image is named by its digest
  function_name                  = var.name
  description                    = "Tells which deployed container images stand on an old base image"
  package_type                   = "Image"
  image_uri                      = var.image_uri
  architectures                  = [var.architecture]
  role                           = aws_iam_role.function.arn
  memory_size                    = var.memory_size
  timeout                        = 900
  reserved_concurrent_executions = var.reserved_concurrency
  kms_key_arn                    = module.foundation.key_arn

  dead_letter_config {
    target_arn = aws_sqs_queue.dead_letters.arn
  }

  logging_config {
    log_format = "Text"
    log_group  = module.foundation.log_group.name
  }

  environment {
    variables = module.foundation.environment
  }

  depends_on = [aws_iam_role_policy.function]
}

resource "aws_lambda_function_event_invoke_config" "this" {
  function_name = aws_lambda_function.this.function_name
  # A run whose time was over fails, and the next try goes on from there.
  maximum_retry_attempts       = 2
  maximum_event_age_in_seconds = 21600
}

# ---- When it runs -------------------------------------------------------------------------------

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
    sid       = "Invoke"
    actions   = ["lambda:InvokeFunction"]
    resources = [aws_lambda_function.this.arn]
  }

  statement {
    sid       = "LeaveDeadLetters"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.dead_letters.arn]
  }
}

resource "aws_iam_role" "schedule" {
  name                 = "${var.name}-schedule"
  description          = "How the schedule of ${var.name} invokes it"
  assume_role_policy   = data.aws_iam_policy_document.schedule_trust.json
  permissions_boundary = var.permissions_boundary
}

resource "aws_iam_role_policy" "schedule" {
  name   = "invoke"
  role   = aws_iam_role.schedule.id
  policy = data.aws_iam_policy_document.schedule.json
}

resource "aws_scheduler_schedule" "this" {
  # checkov:skip=CKV_AWS_297:What is scheduled is an empty object
  name                         = var.name
  description                  = "Runs ${var.name}"
  schedule_expression          = var.schedule_expression
  schedule_expression_timezone = var.schedule_time_zone

  flexible_time_window {
    mode                      = "FLEXIBLE"
    maximum_window_in_minutes = var.schedule_flexible_minutes
  }

  target {
    arn      = aws_lambda_function.this.arn
    role_arn = aws_iam_role.schedule.arn
    input    = "{}"

    dead_letter_config {
      arn = aws_sqs_queue.dead_letters.arn
    }

    retry_policy {
      maximum_retry_attempts       = 10
      maximum_event_age_in_seconds = 3600
    }
  }
}

resource "aws_cloudwatch_event_rule" "pushes" {
  count       = var.watch_pushes ? 1 : 0
  name        = "${var.name}-pushes"
  description = "Shows ${var.name} each image that is pushed"

  event_pattern = jsonencode({
    source      = ["aws.ecr"]
    detail-type = ["ECR Image Action"]
    detail      = { action-type = ["PUSH"], result = ["SUCCESS"] }
  })
}

resource "aws_cloudwatch_event_target" "pushes" {
  count = var.watch_pushes ? 1 : 0
  rule  = aws_cloudwatch_event_rule.pushes[0].name
  arn   = aws_lambda_function.this.arn

  dead_letter_config {
    arn = aws_sqs_queue.dead_letters.arn
  }
}

resource "aws_lambda_permission" "pushes" {
  count         = var.watch_pushes ? 1 : 0
  statement_id  = "pushes"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.this.function_name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.pushes[0].arn
}

# ---- Who watches the watcher --------------------------------------------------------------------

resource "aws_cloudwatch_metric_alarm" "failed_runs" {
  alarm_name          = "${var.name}-failed-runs"
  alarm_description   = "A run of basewatch failed; its log says why. docs/deploy/lambda.md, Troubleshooting"
  namespace           = "basewatch"
  metric_name         = "RunFailed"
  dimensions          = { FunctionName = aws_lambda_function.this.function_name }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [module.foundation.ops_topic_arn]
  ok_actions          = [module.foundation.ops_topic_arn]
}

# From the start until the first run has succeeded as well.
resource "aws_cloudwatch_metric_alarm" "missing_runs" {
  alarm_name          = "${var.name}-missing-runs"
  alarm_description   = "No run of basewatch has succeeded for ${var.hours_without_run} hours. docs/deploy/lambda.md, Troubleshooting"
  namespace           = "basewatch"
  metric_name         = "RunSucceeded"
  dimensions          = { FunctionName = aws_lambda_function.this.function_name }
  statistic           = "Sum"
  period              = 3600
  evaluation_periods  = var.hours_without_run
  threshold           = 1
  comparison_operator = "LessThanThreshold"
  treat_missing_data  = "breaching"
  alarm_actions       = [module.foundation.ops_topic_arn]
  ok_actions          = [module.foundation.ops_topic_arn]
}

# Crashes, timeouts and starts that fail leave no metric of their own: after the third try they are here.
resource "aws_cloudwatch_metric_alarm" "given_up" {
  alarm_name          = "${var.name}-given-up"
  alarm_description   = "basewatch gave up on an event after three tries; it is in the dead-letter queue. docs/deploy/lambda.md, Troubleshooting"
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
