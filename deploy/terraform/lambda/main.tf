# basewatch as a scheduled Lambda function: the Terraform equivalent of deploy/cloudformation/lambda.yaml.
# Instructions: docs/deploy/lambda.md

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

# ---- Function -----------------------------------------------------------------------------------

resource "aws_sqs_queue_policy" "dead_letters" {
  count     = var.watch_pushes ? 1 : 0
  queue_url = module.schedule.dead_letters.url
  policy    = data.aws_iam_policy_document.dead_letters[0].json
}

data "aws_iam_policy_document" "dead_letters" {
  count = var.watch_pushes ? 1 : 0

  statement {
    sid       = "EventRule"
    actions   = ["sqs:SendMessage"]
    resources = [module.schedule.dead_letters.arn]

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
  description          = "Role of ${var.name}"
  assume_role_policy   = data.aws_iam_policy_document.trust.json
  permissions_boundary = var.permissions_boundary
}

resource "aws_iam_role_policy" "function" {
  for_each = merge(module.foundation.policies, { function = data.aws_iam_policy_document.function.json })

  name   = each.key
  role   = aws_iam_role.function.id
  policy = each.value
}

# Permissions that every function needs.
data "aws_iam_policy_document" "function" {
  statement {
    sid       = "WriteLogs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${module.foundation.log_group.arn}:*"]
  }

  statement {
    sid       = "DeadLetterQueue"
    actions   = ["sqs:SendMessage"]
    resources = [module.schedule.dead_letters.arn]
  }
}

resource "aws_lambda_function" "this" {
  # checkov:skip=CKV_AWS_50:basewatch writes no traces; its metrics contain durations
  # checkov:skip=CKV_AWS_117:Sends requests only to AWS APIs and registries, which are outside of any VPC
  # checkov:skip=CKV_AWS_272:Only archives are signed; the image is pinned by its digest
  function_name                  = var.name
  description                    = "Finds deployed container images that are built on outdated base images"
  package_type                   = "Image"
  image_uri                      = var.image_uri
  architectures                  = [var.architecture]
  role                           = aws_iam_role.function.arn
  memory_size                    = var.memory_size
  timeout                        = 900
  reserved_concurrent_executions = var.reserved_concurrency
  kms_key_arn                    = module.foundation.key_arn

  dead_letter_config {
    target_arn = module.schedule.dead_letters.arn
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
  # A run that times out fails; the retry resumes it.
  maximum_retry_attempts       = 2
  maximum_event_age_in_seconds = 21600
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
  target_arn           = aws_lambda_function.this.arn
  policy               = data.aws_iam_policy_document.schedule.json
  hours_without_run    = var.hours_without_run
  # Crashes, timeouts and failed starts emit no metric, but end up in the dead-letter queue after three attempts.
  given_up_description = "An event of basewatch failed three times; it is in the dead-letter queue."
  guide                = "docs/deploy/lambda.md"
  ops_topic_arn        = module.foundation.ops_topic_arn

  missing_runs = {
    description = "No run of basewatch has succeeded for"
    namespace   = "basewatch"
    metric_name = "RunSucceeded"
    dimensions  = { FunctionName = aws_lambda_function.this.function_name }
  }
}

data "aws_iam_policy_document" "schedule" {
  statement {
    sid       = "Invoke"
    actions   = ["lambda:InvokeFunction"]
    resources = [aws_lambda_function.this.arn]
  }
}

resource "aws_cloudwatch_event_rule" "pushes" {
  count       = var.watch_pushes ? 1 : 0
  name        = "${var.name}-pushes"
  description = "Invokes ${var.name} for each pushed image"

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
    arn = module.schedule.dead_letters.arn
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

# ---- Alarms -------------------------------------------------------------------------------------

resource "aws_cloudwatch_metric_alarm" "failed_runs" {
  alarm_name          = "${var.name}-failed-runs"
  alarm_description   = "A run of basewatch failed; see its log. docs/deploy/lambda.md, Troubleshooting"
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
