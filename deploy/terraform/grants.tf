# Who may do what, each on as little as there is for it.

locals {
  grants = { for g in local.deployment.grants : "${g.member} ${g.role} ${g.on}" => g }
}

resource "google_project_iam_member" "all" {
  for_each = { for key, g in local.grants : key => g if g.on == "projects/${var.project}" }

  project = var.project
  role    = each.value.role
  member  = each.value.member

  depends_on = [google_service_account.all, google_project_iam_custom_role.all]
}

resource "google_pubsub_topic_iam_member" "all" {
  for_each = { for key, g in local.grants : key => g if strcontains(g.on, "/topics/") }

  project = var.project
  topic   = google_pubsub_topic.all[basename(each.value.on)].name
  role    = each.value.role
  member  = each.value.member

  depends_on = [google_service_account.all, google_project_service_identity.all]
}

resource "google_secret_manager_secret_iam_member" "all" {
  for_each = { for key, g in local.grants : key => g if strcontains(g.on, "/secrets/") }

  project   = var.project
  secret_id = google_secret_manager_secret.seals[basename(each.value.on)].secret_id
  role      = each.value.role
  member    = each.value.member

  depends_on = [google_service_account.all]
}

resource "google_service_account_iam_member" "all" {
  for_each = { for key, g in local.grants : key => g if strcontains(g.on, "/serviceAccounts/") }

  service_account_id = google_service_account.all[split("@", basename(each.value.on))[0]].name
  role               = each.value.role
  member             = each.value.member

  depends_on = [google_service_account.all]
}

# On services that are there once their functions are deployed.
resource "google_cloud_run_v2_service_iam_member" "all" {
  for_each = { for key, g in local.grants : key => g if strcontains(g.on, "/services/") && var.functions_deployed }

  project  = var.project
  location = var.region
  name     = basename(each.value.on)
  role     = each.value.role
  member   = each.value.member

  depends_on = [google_service_account.all]
}

resource "google_storage_bucket_iam_member" "artifacts" {
  bucket = google_storage_bucket.artifacts.name
  role   = "roles/storage.objectUser"
  member = "serviceAccount:${google_service_account.all["keyturn-deploy"].email}"
}
