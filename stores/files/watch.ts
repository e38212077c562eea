// Hints that something below a folder changed. Nothing relies on them: the folder is looked at again anyway.
import { watch } from 'chokidar'

export interface FolderWatch {
  close(): Promise<void>
}

/** `onHint` may come too often, too late or never; `onError` says that it will not come again. */
export type WatchFolder = (root: string, onHint: () => void, onError: (error: Error) => void) => FolderWatch

const GIT = /(^|[/\\])\.git([/\\]|$)/

export const chokidarWatch: WatchFolder = (root, onHint, onError) => {
  const watcher = watch(root, {
    ignoreInitial: true,
    // Our debounce is enough; theirs would hold an editor's rename for 100 ms.
    atomic: false,
    backend: 'native',
    // The git folder moves all the time and says nothing about objects. Other dot names do: `..data` of a ConfigMap.
    ignored: (path) => GIT.test(path.slice(root.length)),
  })
  watcher.on('all', onHint)
  watcher.on('raw', onHint)
  // What changed before the watches stood has sent no hint.
  watcher.on('ready', onHint)
  watcher.on('error', (error) => onError(error instanceof Error ? error : new Error(String(error))))
  return { close: () => watcher.close() }
}
