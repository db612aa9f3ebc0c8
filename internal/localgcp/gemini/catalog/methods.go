package catalog

// The services of the API, and the one it borrows.
const (
	generation = "GenerativeService"
	model      = "ModelService"
	prediction = "PredictionService"
	text       = "TextService"
	discuss    = "DiscussService"
	operations = "Operations"
	file       = "FileService"
	cache      = "CacheService"
	permission = "PermissionService"
	retriever  = "RetrieverService"
	fileSearch = "FileSearchService"
)

// methods follow Google's discovery document of v1beta, with the retriever
// methods that it had until 2025. It names neither RPCs nor permissions: the
// RPCs are those of the published protos, or named like them, and permissions
// and kinds follow the rule that IAM names them by.
var methods = []Method{
	{"GET", "models", model, "ListModels", "generativelanguage.models.list", AdminRead, ListModels, true},
	{"GET", "models/*", model, "GetModel", "generativelanguage.models.get", AdminRead, GetModel, true},
	{"POST", "models/*:generateContent", generation, "GenerateContent", "generativelanguage.models.generateContent", DataRead, Generate, true},
	{"POST", "models/*:streamGenerateContent", generation, "StreamGenerateContent", "generativelanguage.models.streamGenerateContent", DataRead, Stream, true},
	{"POST", "models/*:countTokens", generation, "CountTokens", "generativelanguage.models.countTokens", DataRead, Count, true},
	{"POST", "models/*:embedContent", generation, "EmbedContent", "generativelanguage.models.embedContent", DataRead, Embed, true},
	{"POST", "models/*:batchEmbedContents", generation, "BatchEmbedContents", "generativelanguage.models.batchEmbedContents", DataRead, BatchEmbed, true},
	{"POST", "models/*:asyncBatchEmbedContent", generation, "AsyncBatchEmbedContent", "generativelanguage.models.asyncBatchEmbedContent", DataWrite, Unsupported, false},
	{"POST", "models/*:batchGenerateContent", generation, "BatchGenerateContent", "generativelanguage.models.batchGenerateContent", DataWrite, Unsupported, false},
	{"POST", "models/*:generateAnswer", generation, "GenerateAnswer", "generativelanguage.models.generateAnswer", DataRead, Unsupported, false},
	{"POST", "models/*:generateText", text, "GenerateText", "generativelanguage.models.generateText", DataRead, Unsupported, false},
	{"POST", "models/*:embedText", text, "EmbedText", "generativelanguage.models.embedText", DataRead, Unsupported, false},
	{"POST", "models/*:batchEmbedText", text, "BatchEmbedText", "generativelanguage.models.batchEmbedText", DataRead, Unsupported, false},
	{"POST", "models/*:countTextTokens", text, "CountTextTokens", "generativelanguage.models.countTextTokens", DataRead, Unsupported, false},
	{"POST", "models/*:generateMessage", discuss, "GenerateMessage", "generativelanguage.models.generateMessage", DataRead, Unsupported, false},
	{"POST", "models/*:countMessageTokens", discuss, "CountMessageTokens", "generativelanguage.models.countMessageTokens", DataRead, Unsupported, false},
	{"POST", "models/*:predict", prediction, "Predict", "generativelanguage.models.predict", DataRead, Unsupported, false},
	{"POST", "models/*:predictLongRunning", prediction, "PredictLongRunning", "generativelanguage.models.predictLongRunning", DataWrite, Unsupported, false},
	{"GET", "models/*/operations", operations, "ListOperations", "generativelanguage.operations.list", AdminRead, Empty, true},
	{"GET", "models/*/operations/*", operations, "GetOperation", "generativelanguage.operations.get", AdminRead, Missing, true},

	{"GET", "files", file, "ListFiles", "generativelanguage.files.list", AdminRead, Empty, false},
	{"POST", "files", file, "CreateFile", "generativelanguage.files.create", DataWrite, Unkept, false},
	{"GET", "files/*", file, "GetFile", "generativelanguage.files.get", DataRead, Missing, false},
	{"DELETE", "files/*", file, "DeleteFile", "generativelanguage.files.delete", DataWrite, Missing, false},
	{"POST", "files:register", file, "RegisterFiles", "generativelanguage.files.register", DataWrite, Unkept, false},
	{"GET", "generatedFiles", file, "ListGeneratedFiles", "generativelanguage.generatedFiles.list", AdminRead, Empty, false},

	{"GET", "cachedContents", cache, "ListCachedContents", "generativelanguage.cachedContents.list", AdminRead, Empty, false},
	{"POST", "cachedContents", cache, "CreateCachedContent", "generativelanguage.cachedContents.create", DataWrite, Unkept, false},
	{"GET", "cachedContents/*", cache, "GetCachedContent", "generativelanguage.cachedContents.get", DataRead, Missing, false},
	{"PATCH", "cachedContents/*", cache, "UpdateCachedContent", "generativelanguage.cachedContents.update", DataWrite, Missing, false},
	{"DELETE", "cachedContents/*", cache, "DeleteCachedContent", "generativelanguage.cachedContents.delete", DataWrite, Missing, false},

	{"GET", "tunedModels", model, "ListTunedModels", "generativelanguage.tunedModels.list", AdminRead, Empty, false},
	{"POST", "tunedModels", model, "CreateTunedModel", "generativelanguage.tunedModels.create", DataWrite, Unkept, false},
	{"GET", "tunedModels/*", model, "GetTunedModel", "generativelanguage.tunedModels.get", DataRead, Missing, false},
	{"PATCH", "tunedModels/*", model, "UpdateTunedModel", "generativelanguage.tunedModels.update", DataWrite, Missing, false},
	{"DELETE", "tunedModels/*", model, "DeleteTunedModel", "generativelanguage.tunedModels.delete", DataWrite, Missing, false},
	{"POST", "tunedModels/*:generateContent", generation, "GenerateContent", "generativelanguage.tunedModels.generateContent", DataRead, Missing, false},
	{"POST", "tunedModels/*:streamGenerateContent", generation, "StreamGenerateContent", "generativelanguage.tunedModels.streamGenerateContent", DataRead, Missing, false},
	{"POST", "tunedModels/*:generateText", text, "GenerateText", "generativelanguage.tunedModels.generateText", DataRead, Missing, false},
	{"POST", "tunedModels/*:transferOwnership", permission, "TransferOwnership", "generativelanguage.tunedModels.transferOwnership", AdminWrite, Missing, false},
	{"GET", "tunedModels/*/permissions", permission, "ListPermissions", "generativelanguage.permissions.list", AdminRead, Missing, false},
	{"POST", "tunedModels/*/permissions", permission, "CreatePermission", "generativelanguage.permissions.create", AdminWrite, Unkept, false},
	{"GET", "tunedModels/*/permissions/*", permission, "GetPermission", "generativelanguage.permissions.get", AdminRead, Missing, false},
	{"PATCH", "tunedModels/*/permissions/*", permission, "UpdatePermission", "generativelanguage.permissions.update", AdminWrite, Missing, false},
	{"DELETE", "tunedModels/*/permissions/*", permission, "DeletePermission", "generativelanguage.permissions.delete", AdminWrite, Missing, false},
	{"GET", "tunedModels/*/operations", operations, "ListOperations", "generativelanguage.operations.list", AdminRead, Missing, false},
	{"GET", "tunedModels/*/operations/*", operations, "GetOperation", "generativelanguage.operations.get", AdminRead, Missing, false},

	{"GET", "corpora", retriever, "ListCorpora", "generativelanguage.corpora.list", AdminRead, Empty, false},
	{"POST", "corpora", retriever, "CreateCorpus", "generativelanguage.corpora.create", DataWrite, Unkept, false},
	{"GET", "corpora/*", retriever, "GetCorpus", "generativelanguage.corpora.get", DataRead, Missing, false},
	{"PATCH", "corpora/*", retriever, "UpdateCorpus", "generativelanguage.corpora.update", DataWrite, Missing, false},
	{"DELETE", "corpora/*", retriever, "DeleteCorpus", "generativelanguage.corpora.delete", DataWrite, Missing, false},
	{"POST", "corpora/*:query", retriever, "QueryCorpus", "generativelanguage.corpora.query", DataRead, Missing, false},
	{"GET", "corpora/*/permissions", permission, "ListPermissions", "generativelanguage.permissions.list", AdminRead, Missing, false},
	{"POST", "corpora/*/permissions", permission, "CreatePermission", "generativelanguage.permissions.create", AdminWrite, Unkept, false},
	{"GET", "corpora/*/permissions/*", permission, "GetPermission", "generativelanguage.permissions.get", AdminRead, Missing, false},
	{"PATCH", "corpora/*/permissions/*", permission, "UpdatePermission", "generativelanguage.permissions.update", AdminWrite, Missing, false},
	{"DELETE", "corpora/*/permissions/*", permission, "DeletePermission", "generativelanguage.permissions.delete", AdminWrite, Missing, false},
	{"GET", "corpora/*/documents", retriever, "ListDocuments", "generativelanguage.documents.list", AdminRead, Missing, false},
	{"POST", "corpora/*/documents", retriever, "CreateDocument", "generativelanguage.documents.create", DataWrite, Unkept, false},
	{"GET", "corpora/*/documents/*", retriever, "GetDocument", "generativelanguage.documents.get", DataRead, Missing, false},
	{"PATCH", "corpora/*/documents/*", retriever, "UpdateDocument", "generativelanguage.documents.update", DataWrite, Missing, false},
	{"DELETE", "corpora/*/documents/*", retriever, "DeleteDocument", "generativelanguage.documents.delete", DataWrite, Missing, false},
	{"POST", "corpora/*/documents/*:query", retriever, "QueryDocument", "generativelanguage.documents.query", DataRead, Missing, false},
	{"GET", "corpora/*/documents/*/chunks", retriever, "ListChunks", "generativelanguage.chunks.list", DataRead, Missing, false},
	{"POST", "corpora/*/documents/*/chunks", retriever, "CreateChunk", "generativelanguage.chunks.create", DataWrite, Unkept, false},
	{"GET", "corpora/*/documents/*/chunks/*", retriever, "GetChunk", "generativelanguage.chunks.get", DataRead, Missing, false},
	{"PATCH", "corpora/*/documents/*/chunks/*", retriever, "UpdateChunk", "generativelanguage.chunks.update", DataWrite, Missing, false},
	{"DELETE", "corpora/*/documents/*/chunks/*", retriever, "DeleteChunk", "generativelanguage.chunks.delete", DataWrite, Missing, false},
	{"POST", "corpora/*/documents/*/chunks:batchCreate", retriever, "BatchCreateChunks", "generativelanguage.chunks.batchCreate", DataWrite, Missing, false},
	{"POST", "corpora/*/documents/*/chunks:batchUpdate", retriever, "BatchUpdateChunks", "generativelanguage.chunks.batchUpdate", DataWrite, Missing, false},
	{"POST", "corpora/*/documents/*/chunks:batchDelete", retriever, "BatchDeleteChunks", "generativelanguage.chunks.batchDelete", DataWrite, Missing, false},

	{"GET", "fileSearchStores", fileSearch, "ListFileSearchStores", "generativelanguage.fileSearchStores.list", AdminRead, Empty, false},
	{"POST", "fileSearchStores", fileSearch, "CreateFileSearchStore", "generativelanguage.fileSearchStores.create", DataWrite, Unkept, false},
	{"GET", "fileSearchStores/*", fileSearch, "GetFileSearchStore", "generativelanguage.fileSearchStores.get", DataRead, Missing, false},
	{"DELETE", "fileSearchStores/*", fileSearch, "DeleteFileSearchStore", "generativelanguage.fileSearchStores.delete", DataWrite, Missing, false},
	{"POST", "fileSearchStores/*:importFile", fileSearch, "ImportFile", "generativelanguage.fileSearchStores.importFile", DataWrite, Missing, false},
	{"POST", "fileSearchStores/*:uploadToFileSearchStore", fileSearch, "UploadToFileSearchStore", "generativelanguage.fileSearchStores.upload", DataWrite, Missing, false},
	{"GET", "fileSearchStores/*/documents", fileSearch, "ListDocuments", "generativelanguage.documents.list", AdminRead, Missing, false},
	{"GET", "fileSearchStores/*/documents/*", fileSearch, "GetDocument", "generativelanguage.documents.get", DataRead, Missing, false},
	{"DELETE", "fileSearchStores/*/documents/*", fileSearch, "DeleteDocument", "generativelanguage.documents.delete", DataWrite, Missing, false},
	{"GET", "fileSearchStores/*/operations/*", operations, "GetOperation", "generativelanguage.operations.get", AdminRead, Missing, false},

	{"GET", "batches", operations, "ListOperations", "generativelanguage.batches.list", AdminRead, Empty, false},
	{"GET", "batches/*", operations, "GetOperation", "generativelanguage.batches.get", AdminRead, Missing, false},
	{"DELETE", "batches/*", operations, "DeleteOperation", "generativelanguage.batches.delete", DataWrite, Missing, false},
	{"POST", "batches/*:cancel", operations, "CancelOperation", "generativelanguage.batches.cancel", DataWrite, Missing, false},
	{"PATCH", "batches/*:updateGenerateContentBatch", generation, "UpdateGenerateContentBatch", "generativelanguage.batches.update", DataWrite, Missing, false},
	{"PATCH", "batches/*:updateEmbedContentBatch", generation, "UpdateEmbedContentBatch", "generativelanguage.batches.update", DataWrite, Missing, false},
}
