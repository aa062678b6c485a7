/** The document's own examples of answers. */
const example = (id: string, addr: string, role: 'master' | 'slave', at: number) => ({
  id,
  addr,
  role,
  password: '',
  master_auth: '',
  created_at: at,
});

const idle = { target_shard_index: -1, import_slot: -1, migrating_slot: -1 };

export const shardExample = {
  id: 'sh-4fY2kQ81aZx0',
  nodes: [example('3SStZULMqclwvYNT8gN05IdybROe0vEnn97iNB5Z', '127.0.0.1:6666', 'master', 16834433980)],
  slot_ranges: ['0-16383'],
  ...idle,
};

export const emptyShardExample = {
  id: 'sh-p0Q7tLw93mNc',
  nodes: [example('y5PftTd0Lc3hH34yEyavIji86cRM5i3oxytt42vo', '127.0.0.1:6667', 'master', 16834433980)],
  slot_ranges: null,
  ...idle,
};

export const clusterExample = {
  name: 'test-cluster',
  version: 0,
  shards: [
    {
      ...shardExample,
      nodes: [example('YotDSqzTeHK6CnIX2gZu27IlcYRTW4dkkFQvV382', '127.0.0.1:6666', 'master', 16834433980)],
    },
  ],
};

export const nodesExample = [
  example('pxpE1JSBJcqicuwc95zqTPTj5rB7YtfvpociyH8C', '127.0.0.1:6666', 'master', 1686101693),
  example('O0JKq1Hp9FtI3dJTU3MigWjjZJzPtduoDODX0OAY', '127.0.0.1:6667', 'slave', 1686102057),
];
