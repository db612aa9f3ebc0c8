# The jobs of scheduler.yaml, whose targets are topics.

resource "google_cloud_scheduler_job" "all" {
  for_each = { for j in local.jobs : basename(j.name) => j if var.schedule }

  project     = var.project
  region      = var.region
  name        = each.key
  description = each.value.description
  schedule    = each.value.schedule
  time_zone   = each.value.timeZone
  paused      = try(each.value.state, "ENABLED") == "PAUSED"

  pubsub_target {
    topic_name = google_pubsub_topic.all[basename(each.value.pubsubTarget.topicName)].id
    attributes = each.value.pubsubTarget.attributes
  }

  retry_config {
    retry_count          = each.value.retryConfig.retryCount
    min_backoff_duration = each.value.retryConfig.minBackoffDuration
    max_backoff_duration = each.value.retryConfig.maxBackoffDuration
    max_doublings        = each.value.retryConfig.maxDoublings
  }
}
