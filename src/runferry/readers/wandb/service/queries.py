"""The questions: fields and arguments are those that W&B's own client 0.31 asks for."""

from __future__ import annotations

from typing import Final

VIEWER: Final = "query GetDefaultEntity { viewer { id entity } }"

PROJECTS: Final = """
query GetProjects($entity: String, $cursor: String, $perPage: Int) {
  models(entityName: $entity, after: $cursor, first: $perPage) {
    pageInfo { endCursor hasNextPage }
    edges { node { id name entityName createdAt } }
  }
}
"""

_HEADER: Final = """
fragment Header on Run {
  id tags name displayName sweepName state group jobType commit createdAt heartbeatAt
  description notes historyLineCount
  user { name username }
}
"""

RUNS: Final = (
    """
query Runs($project: String!, $entity: String!, $cursor: String, $perPage: Int, $order: String,
    $filters: JSONString) {
  project(name: $project, entityName: $entity) {
    runs(filters: $filters, after: $cursor, first: $perPage, order: $order) {
      edges { node { ...Header } cursor }
      pageInfo { endCursor hasNextPage }
    }
  }
}
"""
    + _HEADER
)

_FILES: Final = """
fragment FilePage on FileConnection {
  edges { node { id name directUrl sizeBytes mimetype updatedAt md5 } }
  pageInfo { endCursor hasNextPage }
}
"""

_ARTIFACTS: Final = """
fragment Version on Artifact {
  id versionIndex description metadata historyStep state size digest commitHash fileCount
  createdAt updatedAt
  artifactSequence { name project { name entity { name } } }
  artifactType { name }
  tags { name }
  aliases { alias artifactCollection { __typename name project { name entity { name } } } }
  artifactMemberships {
    edges {
      node {
        versionIndex
        aliases { alias }
        artifactCollection { __typename name project { name entity { name } } }
      }
    }
  }
  currentManifest { file { directUrl } }
  createdBy { __typename ... on Run { name project { name entity { name } } } }
}
"""

_LOG: Final = """
fragment LogPage on LogLineConnection {
  edges { node { number timestamp level label line } }
  pageInfo { endCursor hasNextPage }
}
"""
