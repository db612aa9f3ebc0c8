# What a deployment of keyturn is made of, but for its functions, which cloudbuild.yaml
# deploys. What there has to be is read from deployment.json, which is made from
# shared/deployment: there is no other list.

data "google_project" "this" {
  project_id = var.project
}

locals {
  deployment = jsondecode(templatefile("${path.module}/deployment.json", {
    PROJECT_ID     = var.project
    PROJECT_NUMBER = data.google_project.this.number
    REGION         = var.region
  }))
  jobs = yamldecode(templatefile("${path.module}/../../scheduler.yaml", {
    PROJECT_ID = var.project
    REGION     = var.region
  })).jobs
}

resource "google_project_service" "all" {
  for_each = toset(local.deployment.apis)

  project            = var.project
  service            = each.value
  disable_on_destroy = false
}

# Google's own accounts, so that they can be granted something before they do anything.
resource "google_project_service_identity" "all" {
  provider = google-beta
  for_each = toset(local.deployment.agents)

  project = var.project
  service = each.value

  depends_on = [google_project_service.all]
}

resource "google_service_account" "all" {
  for_each = { for a in local.deployment.accounts : a.id => a }

  project      = var.project
  account_id   = each.key
  display_name = "keyturn: ${each.value.why}"

  depends_on = [google_project_service.all]
}

resource "google_project_iam_custom_role" "all" {
  for_each = { for r in local.deployment.roles : r.id => r }

  project     = var.project
  role_id     = each.key
  title       = each.value.title
  permissions = each.value.permissions

  depends_on = [google_project_service.all]
}

resource "google_pubsub_topic" "all" {
  for_each = { for t in local.deployment.topics : t.id => t }

  project = var.project
  name    = each.key

  depends_on = [google_project_service.all]
}

# For people to look at what no function took.
resource "google_pubsub_subscription" "dead_letters" {
  project                    = var.project
  name                       = local.deployment.dead_letters.subscription
  topic                      = google_pubsub_topic.all[local.deployment.dead_letters.topic].id
  message_retention_duration = "604800s"

  expiration_policy {
    ttl = "" # never
  }
}

# The secrets only: a version that Terraform made would stand in its state. README.md
# says how to make them.
resource "google_secret_manager_secret" "seals" {
  for_each = toset(local.deployment.seals)

  project   = var.project
  secret_id = each.value

  replication {
    auto {
      dynamic "customer_managed_encryption" {
        for_each = var.kms_key == "" ? [] : [var.kms_key]

        content {
          kms_key_name = customer_managed_encryption.value
        }
      }
    }
  }

  depends_on = [google_project_service.all, google_project_service_identity.all]
}

# The list of all that keyturn is made of, which each build leaves there.
resource "google_storage_bucket" "artifacts" {
  project                     = var.project
  name                        = "${var.project}-keyturn-builds"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  depends_on = [google_project_service.all]
}
