PRAGMA application_id = 1181512818;
PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE candidates (
        id INTEGER PRIMARY KEY,
        generation INTEGER NOT NULL,
        position INTEGER NOT NULL,
        settings TEXT NOT NULL,
        UNIQUE (generation, position)
    );
INSERT INTO "candidates" VALUES(0,0,0,'{"hidden":[8],"members":1,"activation":"relu","parametric":false,"bias":true,"init":"he","init_scale":1.0,"parametrization":"standard","front_scale":false,"embedding":"none","embedding_waves":16,"embedding_size":4,"embedding_scale":0.1,"normalization":"none","loss":"cross_entropy","optimizer":"adam","learning_rate":0.0011576142589168632,"momentum":0.9,"beta2":0.999,"weight_decay":0.0,"gradient_clipping":0.0,"schedule":"constant","warmup":0.0,"batch_size":16,"epochs":2,"dropout":0.0,"input_dropout":0.0,"input_noise":0.0,"label_smoothing":0.0,"augment":"none","ema":0.0,"precision":"float32"}');
INSERT INTO "candidates" VALUES(1,0,1,'{"hidden":[8],"members":1,"activation":"relu","parametric":false,"bias":true,"init":"he","init_scale":1.0,"parametrization":"standard","front_scale":false,"embedding":"none","embedding_waves":16,"embedding_size":4,"embedding_scale":0.1,"normalization":"none","loss":"cross_entropy","optimizer":"adam","learning_rate":0.16308768129509588,"momentum":0.9,"beta2":0.999,"weight_decay":0.0,"gradient_clipping":0.0,"schedule":"constant","warmup":0.0,"batch_size":16,"epochs":2,"dropout":0.0,"input_dropout":0.0,"input_noise":0.0,"label_smoothing":0.0,"augment":"none","ema":0.0,"precision":"float32"}');
INSERT INTO "candidates" VALUES(2,0,2,'{"hidden":[8],"members":1,"activation":"relu","parametric":false,"bias":true,"init":"he","init_scale":1.0,"parametrization":"standard","front_scale":false,"embedding":"none","embedding_waves":16,"embedding_size":4,"embedding_scale":0.1,"normalization":"none","loss":"cross_entropy","optimizer":"adam","learning_rate":0.06215348700325252,"momentum":0.9,"beta2":0.999,"weight_decay":0.0,"gradient_clipping":0.0,"schedule":"constant","warmup":0.0,"batch_size":16,"epochs":2,"dropout":0.0,"input_dropout":0.0,"input_noise":0.0,"label_smoothing":0.0,"augment":"none","ema":0.0,"precision":"float32"}');
INSERT INTO "candidates" VALUES(3,0,3,'{"hidden":[8],"members":1,"activation":"relu","parametric":false,"bias":true,"init":"he","init_scale":1.0,"parametrization":"standard","front_scale":false,"embedding":"none","embedding_waves":16,"embedding_size":4,"embedding_scale":0.1,"normalization":"none","loss":"cross_entropy","optimizer":"adam","learning_rate":0.007667931781763271,"momentum":0.9,"beta2":0.999,"weight_decay":0.0,"gradient_clipping":0.0,"schedule":"constant","warmup":0.0,"batch_size":16,"epochs":2,"dropout":0.0,"input_dropout":0.0,"input_noise":0.0,"label_smoothing":0.0,"augment":"none","ema":0.0,"precision":"float32"}');
CREATE TABLE curves (
        phase TEXT NOT NULL,
        candidate INTEGER NOT NULL,
        replicate INTEGER NOT NULL,
        epoch INTEGER NOT NULL,
        train_loss REAL,
        train_accuracy REAL,
        validation_loss REAL,
        validation_accuracy REAL,
        segment TEXT NOT NULL,
        PRIMARY KEY (phase, candidate, replicate, epoch)
    ) WITHOUT ROWID;
INSERT INTO "curves" VALUES('finals',1,1,1,8.83190989494323730468e-01,0.637499988079071,5.62782526016235351562e-01,0.875,'finals/0');
INSERT INTO "curves" VALUES('finals',1,1,2,6.29385590553283691406e-01,0.731249988079071,6.09401702880859375e-01,0.78125,'finals/0');
INSERT INTO "curves" VALUES('finals',1,2,1,8.19084823131561279296e-01,0.668749988079071,5.89170217514038085937e-01,0.8125,'finals/0');
INSERT INTO "curves" VALUES('finals',1,2,2,6.41652762889862060546e-01,7.43749976158142089843e-01,7.07901477813720703125e-01,0.71875,'finals/0');
INSERT INTO "curves" VALUES('finals',1,3,1,1.0534425973892211914e+00,0.5,0.8922119140625,0.59375,'finals/0');
INSERT INTO "curves" VALUES('finals',1,3,2,6.43159985542297363281e-01,7.43749976158142089843e-01,9.53867554664611816406e-01,0.6875,'finals/0');
INSERT INTO "curves" VALUES('finals',1,4,1,9.31692481040954589843e-01,0.668749988079071,1.0265032052993774414e+00,0.625,'finals/0');
INSERT INTO "curves" VALUES('finals',1,4,2,7.2494226694107055664e-01,0.71875,1.00523149967193603515e+00,0.5625,'finals/0');
INSERT INTO "curves" VALUES('finals',1,5,1,1.1472339630126953125e+00,0.5,5.00598073005676269531e-01,0.8125,'finals/0');
INSERT INTO "curves" VALUES('finals',1,5,2,7.26484894752502441406e-01,0.699999988079071,3.85245233774185180664e-01,0.90625,'finals/0');
INSERT INTO "curves" VALUES('finals',2,1,1,9.24178302288055419921e-01,0.5625,5.85167527198791503906e-01,0.875,'finals/0');
INSERT INTO "curves" VALUES('finals',2,1,2,6.26821815967559814453e-01,7.12499976158142089843e-01,5.43876469135284423828e-01,0.84375,'finals/0');
INSERT INTO "curves" VALUES('finals',2,2,1,8.62960338592529296875e-01,6.18749976158142089843e-01,6.41544818878173828125e-01,0.71875,'finals/0');
INSERT INTO "curves" VALUES('finals',2,2,2,0.594753623008728,7.43749976158142089843e-01,5.41387915611267089843e-01,0.8125,'finals/0');
INSERT INTO "curves" VALUES('finals',2,3,1,1.06449782848358154296e+00,4.7499999403953552246e-01,0.881888747215271,0.59375,'finals/0');
INSERT INTO "curves" VALUES('finals',2,3,2,6.68256342411041259765e-01,0.737500011920929,8.21439504623413085937e-01,0.625,'finals/0');
INSERT INTO "curves" VALUES('finals',2,4,1,1.05795907974243164062e+00,0.5625,7.32531011104583740234e-01,0.59375,'finals/0');
INSERT INTO "curves" VALUES('finals',2,4,2,5.54219782352447509765e-01,0.768750011920929,7.947216033935546875e-01,0.65625,'finals/0');
INSERT INTO "curves" VALUES('finals',2,5,1,1.33838534355163574218e+00,3.87499988079071044921e-01,7.99430012702941894531e-01,0.65625,'finals/0');
INSERT INTO "curves" VALUES('finals',2,5,2,8.240509033203125e-01,0.612500011920929,0.546768069267273,0.78125,'finals/0');
INSERT INTO "curves" VALUES('finals',3,1,1,1.43768715858459472656e+00,0.375,1.25734210014343261718e+00,0.5,'finals/0');
INSERT INTO "curves" VALUES('finals',3,1,2,1.12814593315124511718e+00,4.7499999403953552246e-01,1.02059769630432128906e+00,0.625,'finals/0');
INSERT INTO "curves" VALUES('finals',3,2,1,1.11045920848846435546e+00,3.4999999403953552246e-01,1.13536429405212402343e+00,0.40625,'finals/0');
INSERT INTO "curves" VALUES('finals',3,2,2,0.931884765625,4.7499999403953552246e-01,9.81650471687316894531e-01,0.53125,'finals/0');
INSERT INTO "curves" VALUES('finals',3,3,1,1.47165048122406,3.4999999403953552246e-01,1.3492145538330078125e+00,0.34375,'finals/0');
INSERT INTO "curves" VALUES('finals',3,3,2,1.23969244956970214843e+00,4.18749988079071044921e-01,1.20939576625823974609e+00,0.375,'finals/0');
INSERT INTO "curves" VALUES('finals',3,4,1,1.66843247413635253906e+00,3.8124999403953552246e-01,1.24976396560668945312e+00,0.40625,'finals/0');
INSERT INTO "curves" VALUES('finals',3,4,2,1.24083721637725830078e+00,4.49999988079071044921e-01,1.02822148799896240234e+00,0.5,'finals/0');
INSERT INTO "curves" VALUES('finals',3,5,1,2.0777835845947265625e+00,2.12500005960464477539e-01,1.8871440887451171875e+00,0.25,'finals/0');
INSERT INTO "curves" VALUES('finals',3,5,2,1.66413950920104980468e+00,2.12500005960464477539e-01,1.49803960323333740234e+00,0.28125,'finals/0');
INSERT INTO "curves" VALUES('refit',2,0,1,8.48752200603485107421e-01,6.35416686534881591796e-01,0.709778904914856,0.6875,'refit');
INSERT INTO "curves" VALUES('refit',2,0,2,6.58274590969085693359e-01,7.39583313465118408203e-01,5.60976862907409667968e-01,0.75,'refit');
INSERT INTO "curves" VALUES('search',0,0,1,1.18958210945129394531e+00,4.18749988079071044921e-01,1.36630809307098388671e+00,0.40625,'search/0_0');
INSERT INTO "curves" VALUES('search',1,0,1,9.44869697093963623046e-01,6.00000023841857910156e-01,9.28053140640258789062e-01,0.625,'search/0_0');
INSERT INTO "curves" VALUES('search',1,0,2,7.4765974283218383789e-01,6.81249976158142089843e-01,1.12174868583679199218e+00,0.65625,'search/0_1');
INSERT INTO "curves" VALUES('search',2,0,1,9.2145538330078125e-01,6.00000023841857910156e-01,9.10685420036315917968e-01,0.5625,'search/0_0');
INSERT INTO "curves" VALUES('search',2,0,2,6.63487553596496582031e-01,0.71875,6.96838200092315673828e-01,0.65625,'search/0_1');
INSERT INTO "curves" VALUES('search',3,0,1,1.12590479850769042968e+00,0.4375,1.20191788673400878906e+00,0.46875,'search/0_0');
INSERT INTO "curves" VALUES('search',3,0,2,9.60672855377197265625e-01,0.518750011920929,1.0753542184829711914e+00,0.4375,'search/0_1');
CREATE TABLE notes (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        at TEXT NOT NULL,
        kind TEXT NOT NULL,
        payload TEXT NOT NULL
    );
INSERT INTO "notes" VALUES(1,'2026-11-25T14:10:01.096+00:00','kept','{"why":"a record of the first version"}');
CREATE TABLE segments (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL UNIQUE,
        at TEXT NOT NULL,
        payload TEXT NOT NULL,
        file TEXT,
        sha256 TEXT,
        size INTEGER
    );
INSERT INTO "segments" VALUES(1,'plan','2026-11-25T14:09:30.353+00:00','{"plan":{"generations":[4],"epochs":2,"finalists":3,"replicates":5,"seconds":null,"strategy":"halving","passes":null,"epoch_seconds":null,"ensemble":0,"distill":false},"elapsed":0.6174891350019607}',NULL,NULL,NULL);
INSERT INTO "segments" VALUES(2,'search/0_0','2026-11-25T14:10:00.601+00:00','{"rung":[{"candidate":0,"epochs":1,"score":0.40625,"best_epoch":1,"diverged_step":null},{"candidate":1,"epochs":1,"score":0.625,"best_epoch":1,"diverged_step":null},{"candidate":2,"epochs":1,"score":0.5625,"best_epoch":1,"diverged_step":null},{"candidate":3,"epochs":1,"score":0.46875,"best_epoch":1,"diverged_step":null}],"survivors":[1,2,3],"until":1,"cut":false,"network_epochs":4.0,"elapsed":30.849494467001932}',NULL,NULL,NULL);
INSERT INTO "segments" VALUES(3,'search/0_1','2026-11-25T14:10:00.654+00:00','{"rung":[{"candidate":1,"epochs":2,"score":0.65625,"best_epoch":2,"diverged_step":null},{"candidate":2,"epochs":2,"score":0.65625,"best_epoch":2,"diverged_step":null},{"candidate":3,"epochs":2,"score":0.4375,"best_epoch":1,"diverged_step":null}],"survivors":[2,1,3],"until":2,"cut":false,"network_epochs":3.0,"elapsed":30.905912282003555}',NULL,NULL,NULL);
INSERT INTO "segments" VALUES(4,'audit','2026-11-25T14:10:00.669+00:00','{"rung":[],"survivors":[],"until":2,"cut":false,"stopped":1,"stops":[],"network_epochs":0.0,"elapsed":30.93360216599831}',NULL,NULL,NULL);
INSERT INTO "segments" VALUES(5,'finals/0','2026-11-25T14:10:00.860+00:00','{"members":[[1,1],[2,1],[3,1],[1,2],[2,2],[3,2],[1,3],[2,3],[3,3],[1,4],[2,4],[3,4],[1,5],[2,5],[3,5]],"scores":[0.78125,0.84375,0.625,0.71875,0.8125,0.53125,0.6875,0.625,0.375,0.5625,0.65625,0.5,0.90625,0.78125,0.28125],"stopped":false,"network_epochs":30.0,"elapsed":31.124438370999997}',NULL,NULL,NULL);
INSERT INTO "segments" VALUES(6,'refit','2026-11-25T14:10:00.924+00:00','{"candidate":2,"epochs":2,"network_epochs":2.0,"elapsed":31.174356071001966}','refit.safetensors','ad55d9ed436127f23c222ae86d725edc1c07b966ac7e747b8680cf1aff4c7b1f',2256);
INSERT INTO "segments" VALUES(7,'calibration','2026-11-25T14:10:00.932+00:00','{"found":{"temperature":1.1890155767755834,"before":0.17135218401672134,"after":0.1561756253536278,"rows":32}}',NULL,NULL,NULL);
INSERT INTO "segments" VALUES(8,'test','2026-11-25T14:10:00.957+00:00','{"correct":30,"n":48,"opening":1}',NULL,NULL,NULL);
INSERT INTO "segments" VALUES(9,'end','2026-11-25T14:10:00.995+00:00','{"elapsed":31.259834989999945,"compile_s":13.873681764001958}',NULL,NULL,NULL);
CREATE TABLE test_openings (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        at TEXT NOT NULL,
        opened_by TEXT NOT NULL
    );
INSERT INTO "test_openings" VALUES(1,'2026-11-25T14:10:00.945+00:00','tune old');
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('segments',9);
INSERT INTO "sqlite_sequence" VALUES('test_openings',1);
INSERT INTO "sqlite_sequence" VALUES('notes',1);
COMMIT;
