/** What COMMAND tells: every command of the server, also those that the emulator does not carry out. */
import { array, bulk, integer } from './core.ts';
import type { Reply } from './reply.ts';

export interface CommandInfo {
  readonly name: string;
  readonly arity: number;
  readonly flags: readonly string[];
  /** First key, last key and step. */
  readonly range: readonly [number, number, number];
}

export interface KnownCommands {
  all(): readonly CommandInfo[];
  find(name: string): CommandInfo | undefined;
  /** The indices of keys; undefined for an unknown command or a wrong number of words. */
  keysOf(words: readonly string[]): readonly number[] | undefined;
}

export function commandRow({ name, arity, flags, range }: CommandInfo): Reply {
  return array([bulk(name), integer(arity), array(flags.map(bulk)), ...range.map(integer)]);
}

/** Kvrocks 2.14: name, arity, first key, last key, step, flags. */
const rows = `
append 3 1 1 1 write
applybatch -2 0 0 0 write no-multi
bf.add 3 1 1 1 write
bf.card 2 1 1 1 readonly
bf.exists 3 1 1 1 readonly
bf.info -2 1 1 1 readonly
bf.insert -4 1 1 1 write
bf.madd -3 1 1 1 write
bf.mexists -3 1 1 1 readonly
bf.reserve -4 1 1 1 write
bitcount -2 1 1 1 readonly
bitfield -2 1 1 1 write
bitfield_ro -2 1 1 1 readonly
bitop -4 2 -1 1 write
bitpos -3 1 1 1 readonly
blmove 6 1 2 1 write blocking
blmpop -5 0 0 0 write blocking
blpop -3 1 -2 1 write blocking
brpop -3 1 -2 1 write blocking
bzmpop -5 0 0 0 write blocking
bzpopmax -3 1 -2 1 write blocking
bzpopmin -3 1 -2 1 write blocking
cad 3 1 1 1 write
copy -3 1 2 1 write
dbsize -1 0 0 0 readonly
decr 2 1 1 1 write
del -2 1 -1 1 write
disk 3 2 2 1 readonly
dump 2 1 1 1 readonly
exists -2 1 -1 1 readonly
expire 3 1 1 1 write
expireat 3 1 1 1 write
expiretime 2 1 1 1 readonly
fcall -3 0 0 0 write no-script
fcall_ro -3 0 0 0 readonly no-script
flushall 1 0 0 0 write exclusive admin
flushdb 1 0 0 0 write exclusive
ft._list 1 0 0 0 readonly
ft.create -2 0 0 0 write exclusive no-multi no-script slow
ft.dropindex 2 0 0 0 write exclusive no-multi no-script
ft.explain -3 0 0 0 readonly
ft.explainsql -2 0 0 0 readonly
ft.info 2 0 0 0 readonly
ft.search -3 0 0 0 readonly
ft.searchsql -2 0 0 0 readonly
ft.tagvals 3 0 0 0 readonly slow
function -2 0 0 0 exclusive no-script
geoadd -5 1 1 1 write
geodist -4 1 1 1 readonly
geohash -3 1 1 1 readonly
geopos -3 1 1 1 readonly
georadius -6 0 0 0 write
georadius_ro -6 1 1 1 readonly
georadiusbymember -5 1 1 1 write
georadiusbymember_ro -5 1 1 1 readonly
geosearch -7 1 1 1 readonly
geosearchstore -8 0 0 0 write
get 2 1 1 1 readonly
getbit 3 1 1 1 readonly
getdel 2 1 1 1 write
getex -2 1 1 1 write
getrange 4 1 1 1 readonly
getset 3 1 1 1 write
hdel -3 1 1 1 write
hexists 3 1 1 1 readonly
hget 3 1 1 1 readonly
hgetall 2 1 1 1 readonly slow
hincrby 4 1 1 1 write
hincrbyfloat 4 1 1 1 write
hkeys 2 1 1 1 readonly slow
hlen 2 1 1 1 readonly
hmget -3 1 1 1 readonly
hmset -4 1 1 1 write
hrandfield -2 1 1 1 readonly slow
hrangebylex -4 1 1 1 readonly
hscan -3 1 1 1 readonly
hset -4 1 1 1 write
hsetexpire -5 1 1 1 write
hsetnx -4 1 1 1 write
hstrlen 3 1 1 1 readonly
hvals 2 1 1 1 readonly slow
incr 2 1 1 1 write
incrbyfloat 3 1 1 1 write
json.arrappend -4 1 1 1 write
json.arrindex -4 1 1 1 readonly
json.arrinsert -5 1 1 1 write
json.arrlen -2 1 1 1 readonly
json.arrpop -2 1 1 1 write
json.arrtrim 5 1 1 1 write
json.clear -2 1 1 1 write
json.debug -3 2 2 1 readonly
json.del -2 1 1 1 write
json.forget -2 1 1 1 write
json.get -2 1 1 1 readonly
json.info 2 1 1 1 readonly
json.merge 4 1 1 1 write
json.mget -3 1 -2 1 readonly
json.mset -4 1 -3 3 write
json.numincrby 4 1 1 1 write
json.nummultby 4 1 1 1 write
json.objkeys -2 1 1 1 readonly
json.objlen -2 1 1 1 readonly
json.resp -2 1 1 1 readonly
json.set 4 1 1 1 write
json.strappend -3 1 1 1 write
json.strlen -2 1 1 1 readonly
json.toggle -2 1 1 1 write
json.type -2 1 1 1 readonly
keys 2 0 0 0 readonly slow
kmetadata 2 1 1 1 readonly
kprofile -3 0 0 0 readonly admin
lindex 3 1 1 1 readonly
linsert 5 1 1 1 write slow
llen 2 1 1 1 readonly
lmove 5 1 2 1 write
lmpop -4 0 0 0 write
lpop -2 1 1 1 write
lpos -3 1 1 1 readonly
lpush -3 1 1 1 write
lpushx -3 1 1 1 write
lrange 4 1 1 1 readonly
lrem 4 1 1 1 write slow
lset 4 1 1 1 write
ltrim 4 1 1 1 write
memory 3 2 2 1 readonly
mget -2 1 -1 1 readonly
monitor 1 0 0 0 readonly no-multi no-script
move 3 1 1 1 write
movex 3 1 1 1 write
mset -3 1 -1 2 write
msetnx -3 1 -1 2 write
object 3 2 2 1 readonly
perflog -2 0 0 0 readonly
persist 2 1 1 1 write
pexpire 3 1 1 1 write
pexpireat 3 1 1 1 write
pexpiretime 2 1 1 1 readonly
pfadd -2 1 1 1 write
pfcount -2 1 -1 1 readonly
pfmerge -2 1 -1 1 write
pttl 2 1 1 1 readonly
randomkey 1 0 0 0 readonly
rdb -3 0 0 0 write exclusive admin
rename 3 1 2 1 write
renamenx 3 1 2 1 write
restore -4 1 1 1 write
rpop -2 1 1 1 write
rpoplpush 3 1 2 1 write
rpush -3 1 1 1 write
rpushx -3 1 1 1 write
sadd -3 1 1 1 write
scard 2 1 1 1 readonly
sdiff -2 1 -1 1 readonly slow
sdiffstore -3 1 -1 1 write slow
setbit 4 1 1 1 write
setex 4 1 1 1 write
setnx 3 1 1 1 write
setrange 4 1 1 1 write
siadd -3 1 1 1 write
sicard 2 1 1 1 readonly
siexists -3 1 1 1 readonly
sinter -2 1 -1 1 readonly slow
sintercard -3 0 0 0 readonly slow
sinterstore -3 1 -1 1 write slow
sirange -4 1 1 1 readonly
sirangebyvalue -4 1 1 1 readonly
sirem -3 1 1 1 write
sirevrange -4 1 1 1 readonly
sirevrangebyvalue -4 1 1 1 readonly
sismember 3 1 1 1 readonly
smembers 2 1 1 1 readonly slow
smismember -3 1 1 1 readonly
smove 4 1 2 1 write
sort -2 1 1 1 write slow
sort_ro -2 1 1 1 readonly slow
spop -2 1 1 1 write
srandmember -2 1 1 1 readonly slow
srem -3 1 1 1 write
sscan -3 1 1 1 readonly
sst -3 1 1 1 write exclusive admin
ssubscribe -2 0 0 0 readonly no-multi no-script
stats 1 0 0 0 readonly
strlen 2 1 1 1 readonly
substr 4 1 1 1 readonly
sunion -2 1 -1 1 readonly slow
sunionstore -3 1 -1 1 write slow
sunsubscribe -1 0 0 0 readonly no-multi no-script
tdigest.add -3 1 1 1 write
tdigest.create -2 1 1 1 write
tdigest.info 2 1 1 1 readonly
tdigest.max 2 1 1 1 readonly
tdigest.merge -4 0 0 0 write
tdigest.min 2 1 1 1 readonly
tdigest.quantile -3 1 1 1 readonly
tdigest.reset 2 1 1 1 write
tdigest.revrank -3 1 1 1 readonly
ts.add -4 1 1 1 write
ts.create -2 1 1 1 write
ts.createrule -6 1 2 1 write
ts.decrby -3 1 1 1 write
ts.del -4 1 1 1 write
ts.get -2 1 1 1 readonly
ts.incrby -3 1 1 1 write
ts.info -2 1 1 1 readonly
ts.madd -4 1 -3 1 write
ts.mget -3 0 0 0 readonly
ts.mrange -5 0 0 0 readonly
ts.mrevrange -5 0 0 0 readonly
ts.queryindex -2 0 0 0 readonly
ts.range -4 1 1 1 readonly
ts.revrange -4 1 1 1 readonly
ttl 2 1 1 1 readonly
type 2 1 1 1 readonly
unlink -2 1 -1 1 write
xack -4 1 1 1 write
xadd -5 1 1 1 write
xautoclaim -6 1 1 1 write
xclaim -6 1 1 1 write
xdel -3 1 1 1 write
xgroup -4 2 2 1 write
xinfo -2 0 0 0 readonly
xlen -2 1 1 1 readonly
xpending -3 1 1 1 readonly
xrange -4 1 1 1 readonly
xread -4 0 0 0 readonly blocking
xreadgroup -7 0 0 0 write blocking
xrevrange -2 1 1 1 readonly
xsetid -3 1 1 1 write
xtrim -4 1 1 1 write
zadd -4 1 1 1 write
zcard 2 1 1 1 readonly
zcount 4 1 1 1 readonly
zdiff -3 0 0 0 readonly slow
zdiffstore -3 0 0 0 readonly slow
zincrby 4 1 1 1 write
zinter -3 0 0 0 readonly slow
zintercard -3 0 0 0 readonly slow
zinterstore -4 0 0 0 write slow
zlexcount 4 1 1 1 readonly
zmpop -4 0 0 0 write
zmscore -3 1 1 1 readonly
zpopmax -2 1 1 1 write
zpopmin -2 1 1 1 write
zrandmember -2 1 1 1 readonly
zrange -4 1 1 1 readonly
zrangebylex -4 1 1 1 readonly
zrangebyscore -4 1 1 1 readonly
zrangestore -5 1 1 1 write
zrank -3 1 1 1 readonly
zrem -3 1 1 1 write
zremrangebylex 4 1 1 1 write
zremrangebyrank 4 1 1 1 write
zremrangebyscore 4 1 1 1 write
zrevrange -4 1 1 1 readonly
zrevrangebylex -4 1 1 1 readonly
zrevrangebyscore -4 1 1 1 readonly
zrevrank -3 1 1 1 readonly
zscan -3 1 1 1 readonly
zscore 3 1 1 1 readonly
zunion -3 0 0 0 readonly slow
zunionstore -4 0 0 0 write slow
`;

export const serverCommandRows: readonly CommandInfo[] = rows
  .trim()
  .split('\n')
  .map((row) => {
    const [name = '', arity, first, last, step, ...flags] = row.split(' ');
    return { name, arity: Number(arity), flags, range: [Number(first), Number(last), Number(step)] };
  });
