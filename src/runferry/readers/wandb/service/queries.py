"""The questions: fields and arguments are those that W&B's own client 0.31 asks for."""

from __future__ import annotations

from typing import Final

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

_PAGE: Final = "pageInfo { endCursor hasNextPage }"
_FILE: Final = "id name directUrl sizeBytes mimetype updatedAt md5"

RUNS: Final = (
    """
query Runs($project: String!, $entity: String!, $cursor: String, $perPage: Int, $order: String,
    $filters: JSONString, $isFirst: Boolean!, $isDated: Boolean!, $names: [String],
    $viewType: String = "runs") {
  project(name: $project, entityName: $entity) {
    allViews(viewType: $viewType, first: 1) @include(if: $isFirst) { edges { node { id } } }
    runCount(filters: $filters) @include(if: $isFirst)
    runs(filters: $filters, after: $cursor, first: $perPage, order: $order) {
      edges { node { ...Header ...Named @include(if: $isDated) } cursor }
      pageInfo { endCursor hasNextPage }
    }
  }
}
"""
    + _HEADER
    + f"fragment Named on Run {{ files(names: $names) {{ edges {{ node {{ {_FILE} }} }} }} }}"
)

_LINE: Final = "number timestamp level label line"

_VERSION: Final = """
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

RUN: Final = (
    f"""
query Run($project: String!, $entity: String!, $run: String!, $minStep: Int64!, $maxStep: Int64!,
    $pageSize: Int!, $liveKeys: [String!]!, $samples: Int, $isFirst: Boolean!, $sweep: String!,
    $hasSweep: Boolean!, $logFirst: Int, $logAfter: String, $perPage: Int) {{
  project(name: $project, entityName: $entity) {{
    sweep(sweepName: $sweep) @include(if: $hasSweep) {{
      id name displayName method state description config createdAt
    }}
    run(name: $run) {{
      ...Header
      config summaryMetrics historyKeys eventsLineCount logLineCount fileCount
      history(minStep: $minStep, maxStep: $maxStep, samples: $pageSize)
      parquetHistory(liveKeys: $liveKeys) {{ parquetUrls }}
      events(samples: $samples) @include(if: $isFirst)
      logLines(first: $logFirst, after: $logAfter, useImprovedPagination: true) {{
        edges {{ node {{ {_LINE} }} }}
        {_PAGE}
      }}
      files(first: $perPage) {{
        edges {{ node {{ {_FILE} }} }}
        {_PAGE}
      }}
      outputArtifacts(first: $perPage) {{ edges {{ node {{ ...Version }} }} {_PAGE} }}
      inputArtifacts(first: $perPage) {{ edges {{ node {{ ...Version }} }} {_PAGE} }}
    }}
  }}
}}
"""
    + _HEADER
    + _VERSION
)
"""All that a small run has, in one answer; of a larger one the beginning."""

HISTORY_PAGE: Final = """
query HistoryPage($entity: String!, $project: String!, $run: String!, $minStep: Int64!,
    $maxStep: Int64!, $pageSize: Int!) {
  project(name: $project, entityName: $entity) {
    run(name: $run) { history(minStep: $minStep, maxStep: $maxStep, samples: $pageSize) }
  }
}
"""

EXPORTS: Final = """
query RunParquetHistory($entity: String!, $project: String!, $run: String!,
    $liveKeys: [String!]!) {
  project(name: $project, entityName: $entity) {
    run(name: $run) { parquetHistory(liveKeys: $liveKeys) { parquetUrls } }
  }
}
"""

EVENTS: Final = """
query RunFullHistory($project: String!, $entity: String!, $run: String!, $samples: Int) {
  project(name: $project, entityName: $entity) {
    run(name: $run) { events(samples: $samples) }
  }
}
"""

LOG_PAGE: Final = f"""
query RunConsoleLogPage($entity: String!, $project: String!, $run: String!, $first: Int,
    $after: String) {{
  project(name: $project, entityName: $entity) {{
    run(name: $run) {{
      logLines(first: $first, after: $after, useImprovedPagination: true) {{
        edges {{ node {{ {_LINE} }} }}
        {_PAGE}
      }}
    }}
  }}
}}
"""

FILES: Final = f"""
query RunFiles($project: String!, $entity: String!, $run: String!, $cursor: String,
    $perPage: Int, $names: [String] = []) {{
  project(name: $project, entityName: $entity) {{
    run(name: $run) {{
      files(names: $names, after: $cursor, first: $perPage) {{
        edges {{ node {{ {_FILE} }} }}
        {_PAGE}
      }}
    }}
  }}
}}
"""

OUTPUT_ARTIFACTS: Final = (
    f"""
query RunOutputArtifacts($entity: String!, $project: String!, $run: String!, $cursor: String,
    $perPage: Int) {{
  project(name: $project, entityName: $entity) {{
    run(name: $run) {{
      outputArtifacts(after: $cursor, first: $perPage) {{
        edges {{ node {{ ...Version }} }}
        {_PAGE}
      }}
    }}
  }}
}}
"""
    + _VERSION
)

INPUT_ARTIFACTS: Final = OUTPUT_ARTIFACTS.replace("Output", "Input").replace("output", "input")

MANIFEST: Final = """
query FetchArtifactManifest($id: ID!) {
  artifact(id: $id) { currentManifest { file { directUrl } } }
}
"""

ARTIFACT_FILES: Final = f"""
query ArtifactFileURLs($id: ID!, $cursor: String, $perPage: Int) {{
  artifact(id: $id) {{
    files(after: $cursor, first: $perPage) {{
      {_PAGE}
      edges {{ node {{ name directUrl }} }}
    }}
  }}
}}
"""

REPORTS: Final = f"""
query ProjectViews($project: String!, $entity: String!, $cursor: String, $perPage: Int!,
    $viewType: String = "runs") {{
  project(name: $project, entityName: $entity) {{
    allViews(viewType: $viewType, first: $perPage, after: $cursor) {{
      edges {{
        node {{
          id name displayName description spec createdAt updatedAt
          user {{ username }}
        }}
      }}
      {_PAGE}
    }}
  }}
}}
"""
