output "dead_letters" {
  description = "Dead-letter queue"
  value = {
    arn = aws_sqs_queue.dead_letters.arn
    url = aws_sqs_queue.dead_letters.url
  }
}
