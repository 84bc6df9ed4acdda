# basewatch as an ECS service on Fargate: `basewatch serve` with its dashboard behind an internal load balancer.
# Instructions: docs/deploy/ecs-service.md

locals {
  port = 8080
}

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
  command              = ["serve"]
  port                 = local.port
  policies             = module.foundation.policies
  permissions_boundary = var.permissions_boundary
  vpc_id               = var.vpc_id
  cluster_arn          = var.cluster_arn
  log_group            = module.foundation.log_group
  account              = module.foundation.account
  partition            = module.foundation.partition
  region               = module.foundation.region

  environment = merge(module.foundation.environment, {
    BASEWATCH_SERVE__LISTEN     = "0.0.0.0:${local.port}"
    BASEWATCH_SERVE__SCHEDULE   = var.schedule
    BASEWATCH_TIME_ZONE         = var.time_zone
    BASEWATCH_SERVE__TOKEN__ENV = "DASHBOARD_TOKEN"
  })

  secrets         = { DASHBOARD_TOKEN = var.token_secret_arn }
  secrets_key_arn = var.token_key_arn
}

# ---- Access -------------------------------------------------------------------------------------

resource "aws_security_group" "load_balancer" {
  name_prefix = "${var.name}-lb-"
  description = "Access to the dashboard of basewatch"
  vpc_id      = var.vpc_id

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "clients" {
  for_each = var.client_cidrs

  security_group_id = aws_security_group.load_balancer.id
  description       = "Readers"
  cidr_ipv4         = each.value
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_egress_rule" "to_the_task" {
  security_group_id            = aws_security_group.load_balancer.id
  description                  = "basewatch"
  referenced_security_group_id = module.task.security_group_id
  ip_protocol                  = "tcp"
  from_port                    = local.port
  to_port                      = local.port
}

resource "aws_vpc_security_group_ingress_rule" "to_the_task" {
  security_group_id            = module.task.security_group_id
  description                  = "The load balancer"
  referenced_security_group_id = aws_security_group.load_balancer.id
  ip_protocol                  = "tcp"
  from_port                    = local.port
  to_port                      = local.port
}

resource "aws_lb" "this" {
  # checkov:skip=CKV_AWS_91:The caller decides about access logs
  # checkov:skip=CKV2_AWS_28:It is internal, and every request needs the token
  name                       = var.name
  internal                   = true
  load_balancer_type         = "application"
  subnets                    = var.load_balancer_subnet_ids
  security_groups            = [aws_security_group.load_balancer.id]
  drop_invalid_header_fields = true
  enable_deletion_protection = var.deletion_protection

  dynamic "access_logs" {
    for_each = var.access_log_bucket == null ? [] : [var.access_log_bucket]

    content {
      bucket  = access_logs.value
      prefix  = var.name
      enabled = true
    }
  }
}

resource "aws_lb_target_group" "this" {
  # checkov:skip=CKV_AWS_378:basewatch serves HTTP, and only the load balancer can reach it
  name                 = var.name
  vpc_id               = var.vpc_id
  target_type          = "ip"
  protocol             = "HTTP"
  port                 = local.port
  deregistration_delay = 30

  health_check {
    path                = "/readyz"
    matcher             = "200"
    interval            = 15
    timeout             = 5
    healthy_threshold   = 2
    unhealthy_threshold = 3
  }
}

resource "aws_lb_listener" "https" {
  load_balancer_arn = aws_lb.this.arn
  protocol          = "HTTPS"
  port              = 443
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  certificate_arn   = var.certificate_arn

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.this.arn
  }
}

# ---- Function -----------------------------------------------------------------------------------

resource "aws_ecs_service" "this" {
  # checkov:skip=CKV_AWS_333:Public addresses are disabled by default, and only for subnets without NAT
  name            = var.name
  cluster         = module.task.cluster_arn
  task_definition = module.task.task_definition_arn
  launch_type     = "FARGATE"
  propagate_tags  = "SERVICE"

  # Never two tasks at once: the old one is stopped before the new one starts.
  desired_count                      = 1
  deployment_minimum_healthy_percent = 0
  deployment_maximum_percent         = 100
  availability_zone_rebalancing      = "DISABLED"
  health_check_grace_period_seconds  = 60

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    subnets          = var.subnet_ids
    security_groups  = [module.task.security_group_id]
    assign_public_ip = var.assign_public_ip
  }

  load_balancer {
    target_group_arn = aws_lb_target_group.this.arn
    container_name   = "basewatch"
    container_port   = local.port
  }

  depends_on = [aws_lb_listener.https]
}

# ---- Alarms -------------------------------------------------------------------------------------

resource "aws_cloudwatch_metric_alarm" "down" {
  alarm_name          = "${var.name}-down"
  alarm_description   = "basewatch has not been ready for ten minutes: it runs no audits and serves no requests. docs/deploy/ecs-service.md, Troubleshooting"
  namespace           = "AWS/ApplicationELB"
  metric_name         = "HealthyHostCount"
  statistic           = "Minimum"
  period              = 60
  evaluation_periods  = 10
  threshold           = 1
  comparison_operator = "LessThanThreshold"
  treat_missing_data  = "breaching"
  alarm_actions       = [module.foundation.ops_topic_arn]
  ok_actions          = [module.foundation.ops_topic_arn]

  dimensions = {
    LoadBalancer = aws_lb.this.arn_suffix
    TargetGroup  = aws_lb_target_group.this.arn_suffix
  }
}
